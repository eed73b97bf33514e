"""Define how many rows match where a list of them was cut: counted by SQL up to a bound, read where SQL says only
nearly."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import Row as SqlRow

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone, search, sifting
from crane_celery.history.api import ANY_TIME, Query, Row, Total
from crane_celery.history.schema import RUN, SUBMISSION

#: rows that are counted at most, and rows that are read for it at most
MOST, MOST_READ = 1_000_000, 20_000


class Decoded(Protocol):
    """Makes rows of what SQL found."""

    def run_row(self, row: SqlRow[Any]) -> Row:
        """A run with what its submission says."""

    def cancelled_row(self, row: SqlRow[Any], rank: int) -> Row:
        """One of the elements of a cancel."""

    def of_all(self, row: SqlRow[Any]) -> Row:
        """Return what is the same in all rows of a submission of which nothing was changed."""


class _Tally(NamedTuple):
    """A number counted, and whether the bound ended the counting."""

    number: int
    cut: bool


def count(db: Connection, want: Query, ids: RangeSet | None, way: search.Way, jobs: Decoded) -> Total:
    """All runs, and elements that ended before they ran, that match; whatever the limit."""
    asked = replace(want, limit=0)
    portions: list[RangeSet | None] = list(search.portions(ids)) if ids is not None else [None]
    tallies = [_runs(db, asked, some, way, jobs) for some in portions]
    tallies.append(_cancelled(db, asked, ids, jobs))
    return Total(sum(each.number for each in tallies), not any(each.cut for each in tallies))


def _runs(db: Connection, want: Query, ids: RangeSet | None, way: search.Way, jobs: Decoded) -> _Tally:
    matching = search.matching_runs(want, ids, way).limit(MOST + 1).subquery()
    if not sifting.needed(want):
        return _bounded(int(db.scalar(select(func.count()).select_from(matching)) or 0))
    with_text = want.licenses or want.deadline != ANY_TIME  # of which no column says anything
    both = matching.join(RUN, (RUN.c.id == matching.c.id) & (RUN.c.run == matching.c.run))
    both = both.join(SUBMISSION, SUBMISSION.c.job == RUN.c.job)
    plain = select(func.count()).select_from(both).where(SUBMISSION.c.changes == "")
    number = 0 if with_text else int(db.scalar(plain) or 0)
    found = search.find_runs(want, ids, way)
    rest = db.execute(found if with_text else found.where(SUBMISSION.c.changes != ""))
    read = _sifted((jobs.run_row(row) for row in rest), want)
    return _Tally(number + read.number, number > MOST or read.cut)


def _bounded(number: int) -> _Tally:
    return _Tally(min(number, MOST), number > MOST)


def _sifted(rows: Iterable[Row], want: Query) -> _Tally:
    """Those that are meant, of the first that are read."""
    left = iter(rows)
    number = sum(sifting.meant(row, want) for row in islice(left, MOST_READ))
    return _Tally(number, next(left, None) is not None)


def _cancelled(db: Connection, want: Query, ids: RangeSet | None, jobs: Decoded) -> _Tally:
    statement = search.find_cancelled(want, ids)
    if statement is None:
        return _Tally(0, False)
    sifts = sifting.needed(want)
    if ids is None and not sifts:
        rows = statement.order_by(None).subquery()
        return _bounded(int(db.scalar(select(func.coalesce(func.sum(rows.c.count), 0))) or 0))
    number, cut = 0, False
    for row in db.execute(statement, execution_options={"stream_results": True}):
        ranks = gone.among(row, ids)
        if sifts and row.changes:
            some = _sifted((jobs.cancelled_row(row, rank) for rank in gone.descending(ranks)), want)
            number, cut = number + some.number, cut or some.cut
        elif not sifts or sifting.meant(jobs.of_all(row), want):
            number += len(ranks)
        if number > MOST:
            return _Tally(number, True)
    return _Tally(number, cut)
