"""Elements that ended while they were pending, as rows and back."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import pytest

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone


class Filed(NamedTuple):
    """A row of the table, as far as it matters here."""

    job: int
    first: int
    last: int
    ranks: str


def filed(job: int, ranks: str) -> Filed:
    columns = gone.columns(RangeSet.parse(ranks))
    return Filed(job, columns["first"], columns["last"], columns["ranks"])


def ids(rows: list[Filed], among: str | None = None) -> list[int]:
    wanted = None if among is None else RangeSet.parse(among)
    return [row.job + rank for row, rank in gone.newest_first(rows, wanted)]


@pytest.mark.parametrize(
    ("ranks", "columns"),
    [
        ("4", {"first": 4, "last": 4, "count": 1, "ranks": ""}),
        ("3-9", {"first": 3, "last": 9, "count": 7, "ranks": ""}),
        ("0,2-3,9", {"first": 0, "last": 9, "count": 4, "ranks": "0,2-3,9"}),
    ],
)
def test_only_a_set_with_holes_is_spelled_out(ranks: str, columns: dict[str, object]) -> None:
    assert gone.columns(RangeSet.parse(ranks)) == columns
    assert gone.ranks_of(filed(7, ranks)) == RangeSet.parse(ranks)


@pytest.mark.parametrize(
    ("ids", "ranks"),
    [("100-109", "0,2-3,9"), ("0-1000", "0,2-3,9"), ("101,103-105", "3"), ("101", ""), ("", ""), ("110-120", "")],
)
def test_ids_become_ranks(ids: str, ranks: str) -> None:
    assert gone.among(filed(100, "0,2-3,9"), RangeSet.parse(ids)).text == ranks


def test_interleaving_rows_descend_as_one() -> None:
    rows = [filed(30, "0"), filed(10, "0,3,9"), filed(10, "1-2,8"), filed(10, "4-7")]
    assert ids(rows) == [30, *range(19, 9, -1)]
    assert ids(rows, "11-13,18,99") == [18, 13, 12, 11]


def test_rows_are_read_when_they_are_due() -> None:
    read = []

    def rows() -> Iterator[Filed]:
        for row in (filed(0, "5,900000"), filed(0, "4,899990"), filed(0, "0-3")):
            read.append(row.last)
            yield row

    found = gone.newest_first(rows(), None)
    assert [rank for _, rank in islice(found, 2)] == [900_000, 899_990] and read == [900_000, 899_990, 3]


def test_many_are_listed_downwards_as_they_are_taken() -> None:
    whole = RangeSet.span(0, 10**12)
    assert list(islice(gone.descending(whole), 3)) == [10**12, 10**12 - 1, 10**12 - 2]
    some = RangeSet.of([*range(0, 3000, 2), 10_000])
    assert list(gone.descending(some)) == sorted(some, reverse=True)


def test_all_rows_together() -> None:
    assert gone.together([filed(1, "0,2"), filed(1, "3-4"), filed(1, "9")]).text == "0,2-4,9"
    assert not gone.together([])
