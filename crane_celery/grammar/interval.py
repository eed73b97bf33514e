"""Intervals of time for history: ``a~b``, ``a~``, ``~b``, both ends as in :mod:`crane_celery.grammar.when`.

The ``~`` is always written; an open end has no bound.
"""

from __future__ import annotations

from datetime import datetime

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote
from crane_celery.grammar.when import parse_when

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple


class Interval(NamedTuple):
    """From ``start`` to ``end``, both included; None = no bound on that side."""

    start: datetime | None
    end: datetime | None


def parse_interval(text: str, now: datetime) -> Interval:
    """Read an interval in the zone of ``now`` (aware); InputError when malformed or its end is before its start."""
    left, tilde, right = text.partition("~")
    if not tilde or not (left or right):
        raise InputError(f"bad interval {quote(text)}: write start~end, start~ or ~end")
    start = parse_when(left, now) if left else None
    end = parse_when(right, now) if right else None
    if start and end and end.timestamp() < start.timestamp():
        raise InputError(f"bad interval {quote(text)}: it ends before it starts; swap the two")
    return Interval(start, end)
