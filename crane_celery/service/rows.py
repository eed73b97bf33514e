"""Rows of listings about live jobs: the history's rows (history.rows) and, folded, what is pending. Pure.

A pending row stands for all pending ranks of a submission that share a reason; beside the history's keys it has
``ranks`` (range text), ``indexes`` (index text, "" for a plain job), ``count``, and ``elapsed`` (None: not running).
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.rows import Row, element_row, job_row
from crane_celery.model.job import NEVER, WAITING, Element, Job
from crane_celery.model.states import HOLDING, Reason, State

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


class Situation(NamedTuple):
    """What the reasons of pending jobs depend on beside the jobs themselves."""

    now: float
    #: elements that hold an allocation, by submission
    holding: Mapping[int, int]
    #: submissions that stand first in their partition: only resources keep them waiting
    first: Collection[int]
    #: partitions where some node is up
    open_partitions: Collection[str]


def situation(
    now: float, jobs: Iterable[Job], elements: Iterable[Element], open_partitions: Collection[str]
) -> Situation:
    """Look at everything alive once. Linear."""
    holding: dict[int, int] = {}
    for element in elements:
        if element.state in HOLDING:
            holding[element.job] = holding.get(element.job, 0) + 1
    first: dict[str, Job] = {}
    for job in jobs:
        if not job.pending or not 0 <= job.ready <= now or job.held == job.pending:
            continue
        best = first.get(job.spec.partition)
        if best is None or (-job.priority, job.id) < (-best.priority, best.id):
            first[job.spec.partition] = job
    return Situation(now, holding, frozenset(job.id for job in first.values()), open_partitions)


def reason(job: Job, held: bool, around: Situation) -> Reason:
    """Why pending ranks of a job have not started."""
    if held:
        return Reason.HELD
    if job.ready == NEVER:
        return Reason.NEVER
    if job.ready == WAITING or job.ready > around.now:
        return Reason.DEPENDENCY
    if job.spec.throttle and around.holding.get(job.id, 0) >= job.spec.throttle:
        return Reason.ARRAY_LIMIT
    if job.spec.partition not in around.open_partitions:
        return Reason.NODES_DOWN
    return Reason.RESOURCES if job.id in around.first else Reason.PRIORITY


def pending_rows(job: Job, around: Situation, only: RangeSet | None = None) -> list[Row]:
    """One row for the held and one for the other pending ranks of a job (of ``only``, if given)."""
    pending = RangeSet.parse(job.pending)
    if only is not None:
        pending &= only
    held = RangeSet.parse(job.held) & pending
    return [pending_row(job, ranks, reason(job, ranks is held, around)) for ranks in (held, pending - held) if ranks]


def pending_row(job: Job, ranks: RangeSet, why: Reason) -> Row:
    """These pending ranks as one row."""
    indexes = index_set(job.spec.array).text_of(ranks) if job.is_array else ""
    lone = indexes.isdigit()
    return {
        **job_row(job),
        "id": job.id + ranks.first,
        "jobid": shown_id(job, indexes),
        "rank": ranks.first,
        "ranks": ranks.text,
        "index": int(indexes) if lone else None,
        "indexes": indexes,
        "count": len(ranks),
        "run": 0,
        "state": str(State.PENDING),
        "code": 0,
        "reason": str(why),
        "nodelist": [],
        "alloc_cpus": 0.0,
        "alloc_memory": 0,
        "leased_at": 0.0,
        "began_at": 0.0,
        "ended_at": 0.0,
        "cpu_s": 0.0,
        "memory_peak": 0,
        "held": why is Reason.HELD,
        "elapsed": None,
    }


def shown_id(job: Job, indexes: str) -> str:
    """``12``, ``36_1``, ``36_[0-4,7]``, ``36_[0-4,7%2]``."""
    if not indexes:
        return str(job.id)
    if indexes.isdigit():
        return f"{job.id}_{indexes}"
    return f"{job.id}_[{indexes}{f'%{job.spec.throttle}' if job.spec.throttle else ''}]"


def live_row(job: Job, element: Element, now: float) -> Row:
    """The row of a started element."""
    row = element_row(job, element)
    since = element.began_at or element.leased_at
    until = element.ended_at or now
    row["elapsed"] = max(0.0, until - since) if element.began_at else None
    row["indexes"] = "" if row["index"] is None else str(row["index"])
    row["count"] = 1
    row["held"] = False
    return row


def by_state_and_priority(row: Mapping[str, Any]) -> tuple[int, float, int]:
    """Sort key of a queue: state, then priority, highest first, then id."""
    return STATE_ORDER[State(row["state"])], -float(row["priority"]), int(row["id"])
