"""Rows of listings about live jobs: the history's rows (history.rows) and, folded, what is pending. Pure.

A pending row stands for all pending ranks of a submission that share a reason; beside the history's keys it has
``ranks`` (range text), ``indexes`` (index text, "" for a plain job) and ``count``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.rows import AS_SUBMITTED, Row, element_row
from crane_celery.model import tagged
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.overrides import spec_of, spec_parts
from crane_celery.model.states import HOLDING, Reason, State
from crane_celery.sched.draining import Drain
from crane_celery.sched.noted import Noted
from crane_celery.sched.plan import Why
from crane_celery.sched.reasons import own, throttled
from crane_celery.sched.want import want_of

#: the order in which a queue lists states (reference/cranesched.md section 2.1)
STATE_ORDER = {
    State.PENDING: 0,
    State.RUNNING: 1,
    State.COMPLETED: 2,
    State.FAILED: 3,
    State.TIMEOUT: 4,
    State.CANCELLED: 5,
    State.OOM: 6,
    State.STARTING: 8,
    State.COMPLETING: 9,
    State.SUSPENDED: 10,
    State.DEADLINE: 11,
}


#: shown where the scheduler has not looked at it yet
NOT_YET = "None"
#: reasons of those that could start if there were room for them
_IN_TURN = (Reason.NONE, Reason.PRIORITY, Reason.RESOURCES, Reason.RESERVED)


@lru_cache(maxsize=1024)
def index_set(array: str) -> IndexSet:
    """Index sets by text: listings name the same arrays over and over."""
    return IndexSet.parse(array)


@lru_cache(maxsize=8)
def _indexes(array: str, ranks: RangeSet) -> str:
    """Index text, which one row wants in several forms."""
    return index_set(array).text_of(ranks)


class Situation(NamedTuple):
    """Record of what the reasons of pending jobs depend on beside the jobs themselves."""

    now: float
    #: elements that hold an allocation, by submission
    holding: Mapping[int, int]
    #: what the scheduler noted of its last plan
    noted: Noted
    #: of it, the reasons of submissions asked for before; specifications are taken apart once
    known: dict[int, Why]


def situation(now: float, elements: Sequence[Element], noted: Noted) -> Situation:
    """Count what holds an allocation. Linear."""
    holding: dict[int, int] = {}
    for element in elements:
        if element.state in HOLDING:
            holding[element.job] = holding.get(element.job, 0) + 1
    return Situation(now, holding, noted, {})


def reason(job: Job, spec: JobSpec, held: bool, around: Situation) -> Why:
    """Return why pending ranks of a job have not started; ``spec`` is the one in force for them.

    What the records say is taken from them, all else from the scheduler's last plan.
    """
    why = own(job, spec, held, around.now) or throttled(spec, around.holding.get(job.id, 0))
    if why is not None or spec is not job.spec:
        return why or around.noted.why(spec.uid, want_of(spec))
    if job.id not in around.known:
        around.known[job.id] = around.noted.why(spec.uid, want_of(spec))
    return around.known[job.id]


class Line(NamedTuple):
    """Pending ranks of one submission that share a reason and a specification."""

    job: Job
    ranks: RangeSet
    why: Why
    #: in force for these ranks
    spec: JobSpec

    @property
    def indexes(self) -> str:
        """Their index text, "" for a plain job."""
        return _indexes(self.job.spec.array, self.ranks) if self.job.spec.array else ""

    @property
    def lone(self) -> int | None:
        """The index, where there is only one."""
        array = self.job.spec.array
        return index_set(array).index_of(self.ranks.first) if array and len(self.ranks) == 1 else None

    @property
    def order(self) -> tuple[float, int]:
        """Return where it stands among those that wait."""
        return -self.priority, self.job.id + self.ranks.first

    @property
    def priority(self) -> float:
        """That of these ranks where they have one of their own, else the job's."""
        return priority(self.job, self.spec)


def priority(job: Job, spec: JobSpec) -> float:
    """The priority of ranks with this specification."""
    return spec.priority if spec.priority != job.spec.priority else job.priority or spec.priority


_ALL_OF_ONE = RangeSet.span(0, 0)


def pending_lines(job: Job, around: Situation, only: RangeSet | None = None) -> list[Line]:
    """A line for the held and one for the other pending ranks of a job (of ``only``, if given), apart where they were
    changed differently."""
    drains = around.noted.drained.get(job.id, ())
    by_rank = job.changes or job.again or job.corr or job.dead or drains
    if job.pending == "0" and only is None and not by_rank:
        return [Line(job, _ALL_OF_ONE, reason(job, job.spec, bool(job.held), around), job.spec)]
    pending = RangeSet.parse(job.pending)
    if only is not None:
        pending &= only
    held = RangeSet.parse(job.held) & pending
    lines = [
        Line(job, ranks, reason(job, spec, on, around), spec)
        for on, some in ((True, held), (False, pending - held))
        for ranks, spec in spec_parts(job.spec, job.changes, some)
        if ranks
    ]
    apart = job.corr or job.dead or job.again or drains
    return [each for line in lines for each in _by_element(line, drains)] if apart else lines


def _by_element(line: Line, drains: Sequence[Drain]) -> list[Line]:
    """Return a line, apart where elements wait for those of their index, or in vain, ran too often, or are drained
    for."""
    parts: list[tuple[RangeSet, Why]]
    if line.why.reason is Reason.NEVER:
        return [line]
    if line.why.reason is Reason.HELD:
        worn = line.ranks & _worn(line.job)
        parts = [(worn, Why(Reason.REQUEUE_LIMIT)), (line.ranks - worn, line.why)]
    else:
        dead = line.ranks & RangeSet.parse(line.job.dead)
        waits = line.ranks & RangeSet.parse(line.job.corr)
        free = line.ranks - dead - waits
        drained = free & RangeSet.of(drain.rank for drain in drains) if line.why.reason in _IN_TURN else RangeSet()
        why = line.why._replace(reason=Reason.DRAINING)
        parts = [(dead, Why(Reason.NEVER)), (waits, Why(Reason.DEPENDENCY)), (drained, why), (free - drained, line.why)]
    return [line._replace(ranks=ranks, why=why) for ranks, why in parts if ranks]


def _worn(job: Job) -> RangeSet:
    """Ranks that ran again more often than that is done for them."""
    worn = RangeSet()
    for ranks, run in tagged.decode(job.again):
        worn |= ranks if run > job.spec.max_requeue else RangeSet()
    return worn


def pending_rows(job: Job, around: Situation, only: RangeSet | None = None) -> list[Row]:
    """``pending_lines`` as rows."""
    return [pending_row(line) for line in pending_lines(job, around, only)]


def _always(value: object) -> Callable[[Line], object]:
    return lambda _line: value


def _spec(name: str) -> Callable[[Line], Any]:
    return attrgetter(f"spec.{name}")


#: the value of each key of a pending line's row
PENDING: dict[str, Callable[[Line], Any]] = {
    "job": attrgetter("job.id"),
    **{name: _spec(name) for name in ("array", "throttle", *AS_SUBMITTED)},
    "priority": attrgetter("priority"),
    "depends": _spec("dependency"),
    "req_nodelist": lambda line: list(line.spec.nodelist),
    "exclude": lambda line: list(line.spec.exclude),
    "req_cpus": lambda line: line.spec.cpus_per_node * line.spec.nodes,
    "req_memory": _spec("memory"),
    "submitted_at": attrgetter("job.submitted_at"),
    "id": lambda line: line.job.id + line.ranks.first,
    "jobid": lambda line: shown_id(line, line.indexes),
    "rank": attrgetter("ranks.first"),
    "ranks": attrgetter("ranks.text"),
    "index": attrgetter("lone"),
    "indexes": attrgetter("indexes"),
    "count": lambda line: len(line.ranks),
    "run": _always(0),
    "state": _always(str(State.PENDING)),
    "code": _always(0),
    "reason": lambda line: str(line.why.reason) or NOT_YET,
    "nodelist": lambda _line: [],
    **dict.fromkeys(("alloc_cpus", "leased_at", "began_at", "ended_at", "suspended_s", "cpu_s"), _always(0.0)),
    **dict.fromkeys(("alloc_memory", "memory_peak", "memory_deaths"), _always(0)),
    "held": lambda line: line.why.reason in (Reason.HELD, Reason.REQUEUE_LIMIT),
    "elapsed": _always(None),
}


def pending_row(line: Line) -> Row:
    """A line as a row."""
    return {key: get(line) for key, get in PENDING.items()}


def shown_id(line: Line, indexes: str) -> str:
    """``12``, ``36_1``, ``36_[0-4,7]``, ``36_[0-4,7%2]``."""
    if not indexes:
        return str(line.job.id)
    if indexes.isdigit():
        return f"{line.job.id}_{indexes}"
    return f"{line.job.id}_[{indexes}{f'%{line.spec.throttle}' if line.spec.throttle else ''}]"


def short_id(line: Line, limit: int) -> str:
    """``shown_id`` with at most ``limit`` characters of indexes: an array in a million pieces fits on a line."""
    array = line.spec.array
    return shown_id(line, index_set(array).text_of(line.ranks, limit) if array else "")


def live_row(job: Job, element: Element, now: float) -> Row:
    """The row of a started element."""
    if job.changes:
        spec = spec_of(job.spec, job.changes, element.rank)
        job = replace(job, spec=spec, priority=priority(job, spec))
    row = element_row(job, element, now=now)
    row["indexes"] = "" if row["index"] is None else str(row["index"])
    row["ranks"] = str(element.rank)
    row["count"] = 1
    row["held"] = False
    return row


def by_state_and_priority(row: Mapping[str, Any]) -> tuple[int, float, int]:
    """Sort key of a queue: state, then priority, highest first, then id."""
    return STATE_ORDER[State(row["state"])], -float(row["priority"]), int(row["id"])
