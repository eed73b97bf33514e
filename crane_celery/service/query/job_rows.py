"""Rows of listings about live jobs: the history's rows (history.rows) and, folded, what is pending. Pure.

A pending row stands for all pending ranks of a submission that share a reason; beside the history's keys it has
``ranks`` (range text), ``indexes`` (index text, "" for a plain job) and ``count``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.rows import AS_SUBMITTED, Row, element_row
from crane_celery.model import tagged
from crane_celery.model.job import NEVER, WAITING, Element, Job, JobSpec
from crane_celery.model.overrides import spec_of, spec_parts
from crane_celery.model.states import HOLDING, Reason, State
from crane_celery.service.query.limits import Limits, Scarce, scarce

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


@lru_cache(maxsize=1024)
def index_set(array: str) -> IndexSet:
    """Index sets by text: listings name the same arrays over and over."""
    return IndexSet.parse(array)


@lru_cache(maxsize=8)
def _indexes(array: str, ranks: RangeSet) -> str:
    """Index text, which one row wants in several forms."""
    return index_set(array).text_of(ranks)


class Situation(NamedTuple):
    """What the reasons of pending jobs depend on beside the jobs themselves."""

    now: float
    #: elements that hold an allocation, by submission
    holding: Mapping[int, int]
    #: submissions that stand first in their partition: only resources keep them waiting
    first: Collection[int]
    #: partitions where some node is up
    open_partitions: Collection[str]
    scarce: Scarce


def situation(
    now: float, jobs: Sequence[Job], elements: Sequence[Element], open_partitions: Collection[str], limits: Limits
) -> Situation:
    """Look at everything alive once. Linear."""
    holding: dict[int, int] = {}
    for element in elements:
        if element.state in HOLDING:
            holding[element.job] = holding.get(element.job, 0) + 1
    first: dict[str, Job] = {}
    short = scarce(limits, jobs, elements)
    for job in jobs:
        if not job.pending or not 0 <= job.waits_until <= now or job.held == job.pending or job.spec.begin > now:
            continue
        if short.lack(job, job.spec):
            continue
        best = first.get(job.spec.partition)
        if best is None or (-job.priority, job.id) < (-best.priority, best.id):
            first[job.spec.partition] = job
    return Situation(now, holding, frozenset(job.id for job in first.values()), open_partitions, short)


def reason(job: Job, spec: JobSpec, held: bool, around: Situation) -> Reason:
    """Why pending ranks of a job have not started; ``spec`` is the one in force for them."""
    if held:
        return Reason.HELD
    if job.ready == NEVER:
        return Reason.NEVER
    if job.ready == WAITING or job.waits_until > around.now:
        return Reason.DEPENDENCY
    if spec.begin > around.now:
        return Reason.BEGIN
    if spec.throttle and around.holding.get(job.id, 0) >= spec.throttle:
        return Reason.ARRAY_LIMIT
    if spec.partition not in around.open_partitions:
        return Reason.NODES_DOWN
    if lacks := around.scarce.lack(job, spec):
        return lacks
    return Reason.RESOURCES if job.id in around.first else Reason.PRIORITY


class Line(NamedTuple):
    """Pending ranks of one submission that share a reason and a specification."""

    job: Job
    ranks: RangeSet
    why: Reason
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
        """Where it stands among those that wait."""
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
    by_rank = job.changes or job.again or job.corr or job.dead
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
    return [each for line in lines for each in _by_element(line)] if job.corr or job.dead or job.again else lines


def _by_element(line: Line) -> list[Line]:
    """A line, apart where some of its elements wait for those of their index, wait in vain, or ran too often."""
    if line.why is Reason.NEVER:
        return [line]
    if line.why is Reason.HELD:
        worn = line.ranks & _worn(line.job)
        parts = [(worn, Reason.REQUEUE_LIMIT), (line.ranks - worn, line.why)]
    else:
        dead = line.ranks & RangeSet.parse(line.job.dead)
        waits = line.ranks & RangeSet.parse(line.job.corr)
        parts = [(dead, Reason.NEVER), (waits, Reason.DEPENDENCY), (line.ranks - dead - waits, line.why)]
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
    "reason": lambda line: str(line.why),
    "nodelist": lambda _line: [],
    **dict.fromkeys(("alloc_cpus", "leased_at", "began_at", "ended_at", "suspended_s", "cpu_s"), _always(0.0)),
    **dict.fromkeys(("alloc_memory", "memory_peak", "memory_deaths"), _always(0)),
    "held": lambda line: line.why in (Reason.HELD, Reason.REQUEUE_LIMIT),
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
