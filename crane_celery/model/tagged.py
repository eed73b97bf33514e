"""Ranks with a number each (their last run, a time): ``[[ranks, number], ...]`` as JSON, by number; "" = none. Pure.

The same form, to the letter, as store/lua/lib/tags.lua.
"""

import json
from functools import lru_cache

from crane_celery.grammar.ranges import RangeSet

Tags = tuple[tuple[RangeSet, float], ...]


@lru_cache(maxsize=1024)
def decode(text: str) -> Tags:
    """The sets and their numbers."""
    return tuple((RangeSet.parse(ranks), number) for ranks, number in json.loads(text)) if text else ()


def encode(tags: Tags) -> str:
    """Back from ``decode``; empty sets are left out."""
    rows = sorted((number, ranks) for ranks, number in tags if ranks) if len(tags) < 2 else _by_number(tags)
    return "[" + ",".join(f'["{ranks.text}",{number:.14g}]' for number, ranks in rows) + "]" if rows else ""


def _by_number(tags: Tags) -> list[tuple[float, RangeSet]]:
    joined: dict[float, RangeSet] = {}
    for ranks, number in tags:
        joined[number] = joined.get(number, RangeSet()) | ranks
    return [(number, joined[number]) for number in sorted(joined) if joined[number]]


def untag(text: str, ranks: RangeSet) -> str:
    """Without a number for these ranks."""
    return encode(tuple((some - ranks, number) for some, number in decode(text))) if text else ""


def tag(text: str, ranks: RangeSet, number: float) -> str:
    """With this number for these ranks."""
    return encode((*decode(untag(text, ranks)), (ranks, number)))


def number_of(text: str, rank: int) -> float:
    """The number of a rank; 0 = it has none."""
    return next((number for some, number in decode(text) if rank in some), 0.0) if text else 0.0
