"""The live queue: what ``cqueue`` lists."""

from collections.abc import Iterable, Sequence
from functools import partial
from math import inf
from operator import attrgetter, itemgetter
from typing import NamedTuple

from crane_celery.errors import InputError, Refused
from crane_celery.grammar.names import did_you_mean
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.history.rows import Row, step_rows
from crane_celery.model import overrides
from crane_celery.model.job import Element, Job
from crane_celery.model.states import ENDED
from crane_celery.sched.noted import Noted, decode
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.job_rows import (
    PENDING,
    Line,
    Situation,
    by_state_and_priority,
    live_row,
    pending_lines,
    pending_row,
    pending_rows,
    short_id,
    situation,
)
from crane_celery.service.query.live_records import Live, Records
from crane_celery.service.shared.targets import Target, targets
from crane_celery.store.api import Store

#: ended elements of one array that a listing by id fetches at most
MAX_ENDED = 100_000


class Alive(NamedTuple):
    """Everything that has not ended, and what the scheduler says of it, at one moment."""

    version: int
    jobs: list[Job]
    elements: dict[int, list[Element]]
    around: Situation
    #: server time until which nothing changes by itself
    until: float


class Queue:
    """The live queue of one store."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        self.live = Live(store)
        self._store = store
        self._alive: Alive | None = None

    def alive(self) -> Alive:
        """Return what lives now and why it is pending, by the scheduler's last plan."""
        shot, now = self.live.current(), self._store.now()
        found = self._alive
        if found is None or found.version != shot.version or now >= found.until:
            found = self._alive = alive(shot, decode(self._store.noted_plan()), now)
        return found._replace(around=found.around._replace(now=now))


def alive(shot: Records, noted: Noted, now: float) -> Alive:
    """These records, looked at once."""
    by_job: dict[int, list[Element]] = {}
    for element in shot.elements:
        by_job.setdefault(element.job, []).append(element)
    around = situation(now, shot.elements, noted)
    until = min((at for job in shot.jobs for at in (job.waits_until, *begins(job)) if at > now), default=inf)
    return Alive(shot.version, shot.jobs, by_job, around, until)


def begins(job: Job) -> Iterable[float]:
    """Moments before which parts of a job must not start."""
    changed = (fields["begin"] for _, fields in overrides.decode(job.changes) if "begin" in fields)
    return (job.spec.begin, *changed) if job.changes or job.spec.begin else ()


def pending(found: Alive, filters: Filters) -> list[Line]:
    """Return what waits and passes, in the queue's order."""
    if not filters.pending:
        return []
    jobs = filter(filters.job, found.jobs) if filters.of_jobs else found.jobs
    lines = [line for job in jobs if job.pending for line in pending_lines(job, found.around)]
    if filters.of_jobs:
        lines = [line for line in lines if not line.job.changes or filters.spec(line.spec)]
    return sorted(lines, key=attrgetter("order"))


def holding(found: Alive, filters: Filters) -> list[Row]:
    """Rows of what has started and passes, in the queue's order."""
    jobs = {job.id: job for job in found.jobs if job.id in found.elements and filters.job(job)}
    rows = [live_row(job, each, found.around.now) for id_, job in jobs.items() for each in found.elements[id_]]
    return sorted(filter(filters.row, rows), key=by_state_and_priority)


def table(lines: Sequence[Line], rows: Sequence[Row], keys: Sequence[str], cut: int = 0) -> Row:
    """Return what waits, then what has started, by columns: ``count`` lines; what is the ``same`` in all, and what
    differs,
    line by line (``each``). With ``cut`` an id shows so many characters of its indexes at most.

    Raises InputError for a key that rows have not.
    """
    same: Row = {}
    each: Row = {}
    for key in keys:
        if key not in PENDING:
            raise InputError(f"rows have no {key[:60]!r}{did_you_mean(key, PENDING)}")
        get = partial(short_id, limit=cut) if cut and key == "jobid" else PENDING[key]
        column = [*map(get, lines), *map(itemgetter(key), rows)]
        if column and column.count(column[0]) == len(column):
            same[key] = column[0]
        else:
            each[key] = column
    return {"count": len(lines) + len(rows), "same": same, "each": each}


def live_rows(found: Alive, filters: Filters) -> list[Row]:
    """All rows of the queue that pass, in the queue's order."""
    return [*map(pending_row, pending(found, filters)), *holding(found, filters)]


class Chosen(NamedTuple):
    """Record of what was named: lines of what waits, rows of what has started."""

    lines: list[Line]
    rows: list[Row]


def chosen(found: Alive, selectors: tuple[Selector, ...], filters: Filters, store: Store, *, ended: bool) -> Chosen:
    """The jobs named, in the queue's order; ended ones that the store still has only where ``ended``."""
    lines: dict[int, Line] = {}
    rows: dict[int, Row] = {}
    for target in _together(targets(selectors, store)[0]):
        if not filters.job(target.job):
            continue
        if filters.pending:
            for line in pending_lines(target.job, found.around, target.ranks):
                if not target.job.changes or filters.spec(line.spec):
                    lines[line.job.id + line.ranks.first] = line
        for row in started_rows(target, found, store, ended=ended):
            if filters.row(row):
                rows[row["id"]] = row
    return Chosen(sorted(lines.values(), key=attrgetter("order")), sorted(rows.values(), key=by_state_and_priority))


def _together(named: Iterable[Target]) -> Iterable[Target]:
    """One target for each submission, however often it was named: what is named twice is listed once."""
    found: dict[int, Target] = {}
    for each in named:
        known = found.get(each.job.id, each)
        found[each.job.id] = known._replace(ranks=known.ranks | each.ranks)
    return found.values()


def started_rows(target: Target, found: Alive, store: Store, *, ended: bool) -> list[Row]:
    """Live and, if wanted, ended rows of one target; what has ended and is pending again has a line there instead."""
    job = target.job
    elements = [each for each in found.elements.get(job.id, []) if each.rank in target.ranks]
    if ended:
        waits = RangeSet.parse(job.pending)
        ranks = (target.ranks - waits).take(MAX_ENDED) | RangeSet.of(each.rank for each in elements)
        known = store.elements(job.id + rank for rank in ranks)
        elements = [each for each in known if each.state not in ENDED or each.rank not in waits]
    return [live_row(job, each, found.around.now) for each in elements]


def target_rows(target: Target, found: Alive, store: Store, *, ended: bool) -> list[Row]:
    """Pending, live and, if wanted, ended rows of one target. Raises Refused where those would be too many."""
    started = started_rows(target, found, store, ended=ended)
    if ended and started and len(target.ranks - RangeSet.parse(target.job.pending)) > MAX_ENDED:
        raise Refused(
            f"more than {MAX_ENDED} elements of {target.shown} do not wait: name some of them, such as"
            f" {target.job.id}_[0-9]; cacct -j {target.job.id} lists all"
        )
    waiting = pending_rows(target.job, found.around, target.ranks)
    return waiting + started


def with_steps(rows: Iterable[Row], store: Store) -> list[Row]:
    """Step rows of started elements: jobs descending, steps ascending; what each has of its job is added."""
    found: list[Row] = []
    shared = ("jobid", "id", "partition", "user", "uid", "account", "qos", "time_limit", "kind", "licenses")
    for row in sorted(rows, key=lambda each: int(each["id"]), reverse=True):
        for step in step_rows(row, store.steps(row["id"], row["run"]) if row["run"] else ()):
            about = {key: row[key] for key in shared}
            found.append({**about, "nodes": len(step["nodelist"]), **step})
    return found
