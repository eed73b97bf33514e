"""Cancelled elements as rows, against sets of ids."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone


class Filed(NamedTuple):
    """A row of the table, as far as it matters here."""

    job: int
    first: int
    last: int
    ranks: str


#: id -> which event ended it, by submission of 100 ids each
ends = st.dictionaries(st.integers(0, 299), st.integers(0, 5), max_size=60)


def rows(model: dict[int, int]) -> list[Filed]:
    """A row for each event and submission, as the table gives them."""
    by_event: dict[tuple[int, int], list[int]] = {}
    for id, event in model.items():
        by_event.setdefault((id // 100 * 100, event), []).append(id % 100)
    made = []
    for (job, _), ranks in by_event.items():
        columns = gone.columns(RangeSet.of(ranks))
        assert columns["count"] == len(ranks)
        made.append(Filed(job, columns["first"], columns["last"], columns["ranks"]))
    return sorted(made, key=lambda row: (row.job, row.last), reverse=True)


@settings(deadline=None)
@given(ends, st.none() | st.frozensets(st.integers(0, 310)))
def test_all_are_there_once_newest_first(model: dict[int, int], among: frozenset[int] | None) -> None:
    wanted = None if among is None else RangeSet.of(among)
    found = list(gone.newest_first(rows(model), wanted))
    expected = sorted(model if among is None else model.keys() & among, reverse=True)
    assert [row.job + rank for row, rank in found] == expected
    assert all(rank in gone.ranks_of(row) for row, rank in found)
    assert sum(len(gone.among(row, wanted)) for row in rows(model)) == len(expected)


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 10_000)), st.integers(0, 5_000))
def test_numbers_descend(some: frozenset[int], more: int) -> None:
    model = {*some, *range(2_000, 2_000 + more)}
    assert list(gone.descending(RangeSet.of(model))) == sorted(model, reverse=True)
