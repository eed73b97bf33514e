"""Which elements match, by submission: what ``--ids`` prints. Rows are made only where SQL says nearly what matches."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from sqlalchemy import Connection, select

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone, record, search, sifting
from crane_celery.history.api import Query
from crane_celery.history.counting import Decoded
from crane_celery.history.schema import RUN, SUBMISSION

_CHUNK = 500
_AS_READ = {"stream_results": True}


def ranks(db: Connection, want: Query, ids: RangeSet | None, way: search.Way, jobs: Decoded) -> dict[int, RangeSet]:
    """Submission -> the ranks of all runs and cancels that match, whatever the limit."""
    asked = replace(want, limit=0)
    found: dict[int, list[int]] = {}
    for job, rank in _runs(db, asked, ids, way, jobs):
        found.setdefault(job, []).append(rank)
    meant = {job: RangeSet.of(each) for job, each in found.items()}
    for job, some in _cancelled(db, asked, ids, jobs):
        meant[job] = meant.get(job, RangeSet()) | some
    return meant


def _runs(
    db: Connection, want: Query, ids: RangeSet | None, way: search.Way, jobs: Decoded
) -> Iterator[tuple[int, int]]:
    for some in search.portions(ids) if ids is not None else [None]:
        if sifting.needed(want):
            read = map(jobs.run_row, db.execute(search.find_runs(want, some, way), execution_options=_AS_READ))
            yield from ((row["job"], row["rank"]) for row in read if sifting.meant(row, want))
        else:
            plain = search.matching_runs(want, some, way).with_only_columns(RUN.c.job, RUN.c.rank)
            yield from ((job, rank) for job, rank in db.execute(plain))


def _cancelled(db: Connection, want: Query, ids: RangeSet | None, jobs: Decoded) -> Iterator[tuple[int, RangeSet]]:
    statement = search.find_cancelled(want, ids)
    if statement is None:
        return
    sifts = sifting.needed(want)
    for row in db.execute(statement, execution_options=_AS_READ):
        some = gone.among(row, ids)
        if sifts and row.changes:
            meant = (rank for rank in some if sifting.meant(jobs.cancelled_row(row, rank), want))
            yield row.job, RangeSet.of(meant)
        elif not sifts or sifting.meant(jobs.of_all(row), want):
            yield row.job, some


def arrays(db: Connection, jobs: Iterable[int]) -> dict[int, str]:
    """The index texts of those of these submissions that are arrays."""
    found = {}
    table, rest = SUBMISSION.c, iter(jobs)
    while some := list(islice(rest, _CHUNK)):
        large = select(table.record).where(table.job.in_(some), table.record.contains('"array":'))
        for text in db.scalars(large):
            job = record.decode(text)
            if job.is_array:
                found[job.id] = job.spec.array
    return found
