"""Intervals of time for history: ``a~b``, ``a~``, ``~b``, both ends as in :mod:`crane_celery.grammar.when`.

An open end has no bound; a single moment ``a`` means from then on.
"""

from __future__ import annotations

from datetime import datetime

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote
from crane_celery.grammar.when import format_when, parse_when

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple


class Interval(NamedTuple):
    """From ``start`` to ``end``, both included; None = no bound on that side."""

    start: datetime | None
    end: datetime | None


def parse_interval(text: str, now: datetime, past: bool = False) -> Interval:
    """Read an interval in the zone of ``now`` (aware); with ``past``, both ends are the last such moments.

    Raises InputError when it is malformed, or can hold nothing: it ends before it starts, or, with ``past``, does
    not start before now.
    """
    left, _, right = text.partition("~")
    left, right = left.strip(), right.strip()
    if not (left or right):
        raise InputError(f"bad interval {quote(text)}: write start~end, start~ or ~end")
    start = parse_when(left, now, past) if left else None
    end = parse_when(right, now, past) if right else None
    if start and end and end.timestamp() < start.timestamp():
        read = f"{format_when(end)} is before {format_when(start)}"
        raise InputError(f"interval {quote(text)} can hold nothing: it ends before it starts ({read}); swap the two")
    if past and start and start.timestamp() >= now.timestamp():
        when = f"in the future ({format_when(start)}, now is {format_when(now)})" if start > now else "now"
        until = f", or ~{left} for up to then" if not right else ""
        raise InputError(
            f"interval {quote(text)} can hold nothing: it starts {when}; write a moment that has been, such as"
            f" yesterday~ or -3d~{until}"
        )
    return Interval(start, end)
