"""The history in SQL, read. One query is one transaction, so its rows fit together."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import Row as SqlRow

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.history import counting, elements, gone, record, rows, search, selection, shares, sifting
from crane_celery.history.api import ANY_TIME, Query, Row, Total
from crane_celery.history.engine import Database
from crane_celery.history.schema import CANCELLED, FINAL, RUN, STEP, SUBMISSION, TOLD
from crane_celery.model.job import Allocation, Element, Job, StepRow
from crane_celery.model.states import State

_CHUNK = 500
_ALL = Query(limit=0)
#: so many times as many are read where too few were meant
_MORE = 16
#: so many arrays beyond the limit are counted
_MORE_ARRAYS = 2_000
#: rows come from the server as they are read, not all before the first
_AS_READ = {"stream_results": True}
#: an empty server goes on with ids from the next multiple of this: more than can have been given out and not filed
_ROUND_IDS = 1_000_000


class SqlHistory:
    """``api.History`` over any database that SQLAlchemy reaches."""

    def __init__(self, url: str) -> None:
        """Connects when first used. Raises ConfigError for a URL that is none."""
        self._database = Database(url)

    def query(self, want: Query) -> list[Row]:
        """See ``api.History``. A search by user, state and time among a million runs takes well under 300 ms."""
        with self._database.reading() as db:
            picked = selection.pick(want.selectors, lambda id: self._owner(db, id)) if want.selectors else None
            ids = _submitted(db, want, picked.ids if picked else None)
            jobs = _Jobs()
            found = [*self._runs(db, want, ids, jobs), *self._cancelled(db, want, ids, jobs)]
            newest = rows.newest_first(found, want.limit)
            if want.steps:
                self._add_steps(db, newest, picked)
        return newest

    def count(self, want: Query) -> Total:
        """See ``api.History``."""
        with self._database.reading() as db:
            picked = selection.pick(want.selectors, lambda id: self._owner(db, id)) if want.selectors else None
            ids = _submitted(db, want, picked.ids if picked else None)
            return counting.count(db, want, ids, _way(db, want, ids), _Jobs())

    def elements(self, want: Query) -> dict[int, tuple[str, RangeSet]]:
        """See ``api.History``."""
        with self._database.reading() as db:
            picked = selection.pick(want.selectors, lambda id: self._owner(db, id)) if want.selectors else None
            ids = _submitted(db, want, picked.ids if picked else None)
            found = elements.ranks(db, want, ids, _way(db, want, ids), _Jobs())
            arrays = elements.arrays(db, found)
        return {job: (arrays.get(job, ""), ranks) for job, ranks in found.items() if ranks}

    def submission(self, id: int) -> Row | None:
        """See ``api.History``."""
        with self._database.reading() as db:
            job = self._owner(db, id)
        return rows.job_row(job) if job else None

    def job(self, id: int) -> Job | None:
        """See ``api.History``."""
        with self._database.reading() as db:
            return self._owner(db, id)

    def last_id(self) -> int:
        """See ``api.History``."""
        with self._database.reading() as db:
            last = db.scalar(select(func.max(SUBMISSION.c.job + SUBMISSION.c.count - 1)))
        return -(-(int(last) + 1) // _ROUND_IDS) * _ROUND_IDS if last else 0

    def array_of(self, job: int) -> str:
        """See ``api.History``."""
        row = self.submission(job)
        return str(row["array"]) if row and row["job"] == job else ""

    def counts(self, job: int) -> dict[str, int]:
        """See ``api.History``."""
        with self._database.reading() as db:
            owner = self._owner(db, job)
            return _counts(db, owner) if owner and owner.id == job else {}

    def arrays(self, want: Query) -> tuple[list[Row], Total]:
        """See ``api.History``."""
        with self._database.reading() as db:
            ids = selection.pick(want.selectors, lambda id: self._owner(db, id)).ids if want.selectors else None
            with db.execute(search.find_arrays(want, ids), execution_options=_AS_READ) as filed:
                found = _arrays(db, (record.decode(row.record, row.changes) for row in filed), want)
                first = [{**row, "counts": row["counts"]()} for row in islice(found, want.limit or None)]
                more = sum(1 for _ in islice(found, _MORE_ARRAYS))
                return first, Total(len(first) + more, more < _MORE_ARRAYS)

    def usage(self, selectors: Sequence[Selector], without: RangeSet) -> list[Row]:
        """See ``api.History``."""
        with self._database.reading() as db:
            ids = selection.pick(selectors, lambda id: self._owner(db, id)).ids - without
            never: dict[tuple[int, str, int], int] = {}
            for row in db.execute(search.cancelled_within(ids)):
                key = row.job, row.state, row.code
                never[key] = never.get(key, 0) + len(gone.among(row, ids))
            summed = [dict(row._mapping) for some in search.portions(ids) for row in db.execute(search.sum_runs(some))]
            jobs = {job: self._owner(db, job) for job in {*(key[0] for key in never), *(row["job"] for row in summed)}}
        groups = [_group(job, row) for row in summed if (job := jobs[row["job"]])]
        unused = ((jobs[id], _unused(count, state, code)) for (id, state, code), count in never.items() if count)
        return groups + [_group(job, row) for job, row in unused if job]

    def runs(self, ids: RangeSet) -> list[Row]:
        """See ``api.History``."""
        jobs = _Jobs()
        with self._database.reading() as db:
            found = [row for some in search.portions(ids) for row in self._runs(db, _ALL, some, jobs)]
        return rows.newest_first(found, 0)

    def told(self, job: int) -> list[Row]:
        """See ``api.History``."""
        statement = select(TOLD).where(TOLD.c.job == job).order_by(TOLD.c.ms, TOLD.c.seq, TOLD.c.nth)
        with self._database.reading() as db:
            return [_told(row) for row in db.execute(statement)]

    def sums(self, ids: RangeSet) -> list[Row]:
        """See ``api.History``."""
        with self._database.reading() as db:
            found = [row for some in search.portions(ids) for row in db.execute(search.sum_ends(some))]
        return [dict(row._mapping) for row in found]

    def held_by_uid(self, now: float, half_life_s: float) -> dict[int, float]:
        """See ``api.History``."""
        with self._database.reading() as db:
            return shares.read(db, now, half_life_s)

    def close(self) -> None:
        """See ``api.History``."""
        self._database.close()

    @staticmethod
    def _owner(db: Connection, id: int) -> Job | None:
        """The submission of a plain id: the last one that begins at or before it, if it reaches that far."""
        table = SUBMISSION.c
        nearest = select(table.record, table.changes).where(table.job <= id).order_by(table.job.desc()).limit(1)
        found = db.execute(nearest).first()
        job = record.decode(found.record, found.changes) if found else None
        return job if job and id < job.id + job.count else None

    @staticmethod
    def _runs(db: Connection, want: Query, ids: RangeSet | None, jobs: "_Jobs") -> list[Row]:
        """Ever more of them, where too few of what SQL finds are meant."""
        way, limit = _way(db, want, ids), want.limit
        wanted = set(ids) if ids is not None and search.sifts(ids) else None
        while True:
            found: Iterable[SqlRow[Any]] = db.execute(search.find_runs(replace(want, limit=limit), ids, way))
            if wanted is not None:
                found = (row for row in found if row.id in wanted)
            read = [jobs.run_row(row) for row in islice(found, limit or None)]
            meant = [row for row in read if sifting.meant(row, want)]
            if not limit or len(read) < limit or len(meant) >= want.limit:
                return meant[: want.limit or None]
            limit *= _MORE

    @staticmethod
    def _cancelled(db: Connection, want: Query, ids: RangeSet | None, jobs: "_Jobs") -> list[Row]:
        """Cancels expanded from their high end, no further than the limit."""
        statement = search.find_cancelled(want, ids)
        if statement is None:
            return []
        with db.execute(statement, execution_options=_AS_READ) as filed:
            likely = (row for row in filed if row.changes or sifting.meant(jobs.of_all(row), want))
            each = (jobs.cancelled_row(row, rank) for row, rank in gone.newest_first(likely, ids))
            return list(islice((row for row in each if sifting.meant(row, want)), want.limit or None))

    @staticmethod
    def _add_steps(db: Connection, found: list[Row], picked: "selection.Picked | None") -> None:
        ran = RangeSet.of(row["id"] for row in found if row["run"])
        common = _common_steps(db, list(ran))
        picked = picked.among(ran) if picked else None
        for row in found:
            steps = rows.step_rows(row, common.get((row["id"], row["run"]), ()))
            row["steps"] = picked.narrow(row["id"], steps) if picked else steps


def _arrays(db: Connection, jobs: Iterable[Job], want: Query) -> Iterator[Row]:
    """Those that are arrays and meant; ``counts`` is what counts their elements."""
    for job in jobs:
        row = rows.job_row(job) if job.is_array else None
        if row is None or not sifting.meant(row, want):
            continue
        counts = cache(partial(_counts, db, job))
        if not want.states or not counts().keys().isdisjoint(want.states):
            yield {**row, "counts": counts}


def _submitted(db: Connection, want: Query, ids: RangeSet | None) -> RangeSet | None:
    """Of these ids, those that can have been submitted when they shall."""
    if want.submit == ANY_TIME:
        return ids
    first, last = db.execute(search.submitted(want)).one()
    between = RangeSet() if first is None else RangeSet.span(first, last)
    return between if ids is None else ids & between


def _way(db: Connection, want: Query, ids: RangeSet | None) -> search.Way:
    """The shortest way to these runs. PostgreSQL has statistics of values, and finds it by itself."""
    if db.dialect.name != "sqlite":
        return search.Way.BY_INDEX
    if ids and ids.last - ids.first <= search.MANY:
        return search.Way.NEWEST_FIRST
    submissions = search.few_submissions(want)
    if submissions is not None and int(db.scalar(submissions) or 0) <= search.MANY:
        return search.Way.BY_SUBMISSION
    runs = search.wide(want, ids)
    if runs is not None and int(db.scalar(runs) or 0) > search.MANY:
        return search.Way.NEWEST_FIRST
    return search.Way.BY_INDEX


def _group(job: Job, row: Row) -> Row:
    """A group of runs that held the same, with what its submission says."""
    held = json.loads(row.pop("held") or "[]")
    cpus = sum(part[1] for part in held)
    shape = {"nodes": len(held), "alloc_cpus": cpus, "alloc_memory": held[0][2] if held else 0}
    return {**rows.job_row(job), **row, **shape, "held_s": row["wall_s"] * cpus}


def _unused(count: int, state: str, code: int) -> Row:
    """Return the number of elements that ended while pending, as a row of ``search.sum_runs``."""
    sums = {
        "cpu_s": 0.0,
        "wall_s": 0.0,
        "memory_peak": 0,
        "memory_deaths": 0,
        "code": code,
        "began_at": 0.0,
        "ended_at": 1.0,
    }
    return {"state": state, "held": "", "count": count, **sums}


def _counts(db: Connection, job: Job) -> dict[str, int]:
    """Final state -> how many elements ended so."""
    block = RUN.c.id.between(job.id, job.id + job.count - 1), RUN.c.again == FINAL
    ran = select(RUN.c.state, func.count()).where(*block).group_by(RUN.c.state)
    table = CANCELLED.c
    never = select(table.state, func.sum(table.count)).where(table.job == job.id).group_by(table.state)
    found: dict[str, int] = {}
    for state, count in (*db.execute(ran), *db.execute(never)):
        found[str(state)] = found.get(str(state), 0) + int(count)
    return found


def _told(row: SqlRow[Any]) -> Row:
    detail = json.loads(row.detail) if row.detail else {}
    return {"at": row.at, "kind": row.kind, "ranks": row.ranks, "detail": detail, "by_uid": row.by_uid}


class _Jobs:
    """Submissions decoded once per query: a listing names the same few over and over."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Job, Row]] = {}

    def run_row(self, row: SqlRow[Any]) -> Row:
        """A run with what its submission says."""
        job, base = self._of(row, row.rank)
        found = rows.element_row(job, _element(row), cpu_s=row.cpu_s, memory_peak=row.memory_peak, base=base)
        return {**found, "again": row.again}

    def cancelled_row(self, row: SqlRow[Any], rank: int) -> Row:
        """One of the elements of a cancel."""
        job, base = self._of(row, rank)
        return rows.cancelled_row(job, rank, rows.Gone(row.at, row.state, row.code, row.reason), base)

    def of_all(self, row: SqlRow[Any]) -> Row:
        """Return what is the same in all rows of a submission of which nothing was changed."""
        return self._of(row, 0)[1]

    def _of(self, row: SqlRow[Any], rank: int) -> tuple[Job, Row]:
        """The submission as it was in force for a rank, and what is the same in all its rows."""
        if row.job not in self._known:
            job = record.decode(row.record, row.changes)
            self._known[row.job] = (job, rows.job_row(job))
        job, base = self._known[row.job]
        if not job.changes:
            return job, base
        changed = rows.in_force(job, rank)
        return changed, rows.job_row(changed)


def _element(row: SqlRow[Any]) -> Element:
    held = json.loads(row.held) if row.held else []
    return Element(
        id=row.id,
        job=row.job,
        rank=row.rank,
        run=row.run,
        state=State(row.state),
        allocation=tuple(
            Allocation(node=node, cpus=cpus, memory=memory, gres={name: tuple(slots) for name, slots in gres.items()})
            for node, cpus, memory, gres in held
        ),
        leased_at=row.leased_at,
        began_at=row.began_at,
        ended_at=row.ended_at,
        code=row.code,
        reason=row.reason,
        suspended_s=row.suspended_s,
        memory_deaths=row.memory_deaths,
    )


def _common_steps(db: Connection, ids: list[int]) -> dict[tuple[int, int], list[StepRow]]:
    found: dict[tuple[int, int], list[StepRow]] = {}
    for at in range(0, len(ids), _CHUNK):
        for row in db.execute(select(STEP).where(STEP.c.id.in_(ids[at : at + _CHUNK]))):
            values = dict(row._mapping)
            step = StepRow(job=values.pop("id"), state=State(values.pop("state")), **values)
            found.setdefault((step.job, step.run), []).append(step)
    return found
