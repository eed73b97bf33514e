"""Elements that ended while they were pending, as the table holds them: a row an event, whatever its pattern. Pure.

A row has the lowest and the highest rank, which its key, indexes and filters go by, how many ranks there are, and
which, where that is not all between the two. Rows of a submission have no rank in common, but they may interleave.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, heapreplace
from typing import Any, Protocol, TypeVar

from crane_celery.grammar.ranges import RangeSet

#: numbers are listed downwards so many at a time
_STRETCH = 1_024


class Filed(Protocol):
    """A row of the table ``cancelled``, as far as it says which elements."""

    @property
    def job(self) -> int:
        """The submission."""

    @property
    def first(self) -> int:
        """The lowest rank."""

    @property
    def last(self) -> int:
        """The highest rank."""

    @property
    def ranks(self) -> str:
        """Range text, "" = all between the two."""


Of = TypeVar("Of", bound=Filed)
_Open = tuple[int, int, Iterator[int], Of]  # minus the id, the number of the row, its further ranks, the row


def columns(ranks: RangeSet) -> dict[str, Any]:
    """The columns that say which ranks; there must be one at least."""
    first, last, count = ranks.first, ranks.last, len(ranks)
    return {"first": first, "last": last, "count": count, "ranks": "" if count > last - first else ranks.text}


def ranks_of(row: Filed) -> RangeSet:
    """All ranks of a row."""
    return RangeSet.parse(row.ranks) if row.ranks else RangeSet.span(row.first, row.last)


def among(row: Filed, ids: RangeSet | None) -> RangeSet:
    """Those ranks of a row whose plain ids are among these; None = any."""
    if ids is None:
        return ranks_of(row)
    near = ids & RangeSet.span(row.job + row.first, row.job + row.last)
    if len(near) > row.last - row.first:
        return ranks_of(row)
    met = near.shifted(-row.job)
    return ranks_of(row) & met if row.ranks and met else met


def newest_first(rows: Iterable[Of], ids: RangeSet | None) -> Iterator[tuple[Of, int]]:
    """The elements that are asked for, each with its row, highest id first. ``rows`` descend by job and last rank.

    A row is read when its highest element is due, so who stops early pays for what was taken.
    """
    waiting: list[_Open[Of]] = []
    for number, row in enumerate(rows):
        while waiting and -waiting[0][0] > row.job + row.last:
            yield _take(waiting)
        ranks = descending(among(row, ids))
        highest = next(ranks, None)
        if highest is not None:
            heappush(waiting, (-(row.job + highest), number, ranks, row))
    while waiting:
        yield _take(waiting)


def _take(waiting: list[_Open[Of]]) -> tuple[Of, int]:
    minus, number, ranks, row = waiting[0]
    rank = next(ranks, None)
    if rank is None:
        heappop(waiting)
    else:
        heapreplace(waiting, (-(row.job + rank), number, ranks, row))
    return row, -minus - row.job


def descending(ranks: RangeSet) -> Iterator[int]:
    """The numbers, highest first, listed as they are taken."""
    while len(ranks) > _STRETCH:
        low = max(0, ranks.last - _STRETCH + 1)
        yield from reversed(list(ranks & RangeSet.span(low, ranks.last)))
        ranks &= RangeSet.span(0, low - 1)
    yield from reversed(list(ranks))


def together(rows: Iterable[Filed]) -> RangeSet:
    """The ranks of all rows of a submission."""
    spans: list[tuple[int, int]] = []
    found = RangeSet()
    for row in rows:
        if row.ranks:
            found |= RangeSet.parse(row.ranks)
        else:
            spans.append((row.first, row.last))
    return found | RangeSet(spans)
