"""Events become what is to be written. Pure; one batch is one transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.asjson import job_from_json, step_from_json
from crane_celery.model.event import Event
from crane_celery.model.job import Job, StepRow


class Started(NamedTuple):
    """What the end of a run needs of its start."""

    job: int
    rank: int
    leased_at: float
    allocation: list[list[Any]]  # [[node, cpus, memory, {gres: [slots]}], ...]


class Finished(NamedTuple):
    """A row of an ``end`` event, but for its key."""

    job: int
    rank: int
    state: str
    code: int
    began_at: float
    ended_at: float
    reason: str
    cpu_s: float
    memory_peak: int


class Cancelled(NamedTuple):
    """A range of ranks that ended before they ran."""

    job: int
    first: int
    last: int
    at: float
    by_uid: int


RunKey = tuple[int, int]  # (plain id, run)


@dataclass(slots=True)
class Batch:
    """The transitions of some events, each kind ready to be written in one go. What comes later replaces."""

    submissions: dict[int, Job] = field(default_factory=dict)
    started: dict[RunKey, Started] = field(default_factory=dict)
    finished: dict[RunKey, Finished] = field(default_factory=dict)
    cancelled: list[Cancelled] = field(default_factory=list)
    steps: dict[tuple[int, int, int], StepRow] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)  # submission -> when its last element ended


def fold(events: Iterable[Event]) -> Batch:
    """The batch of these events, in order. Kinds that leave no record are passed over."""
    batch = Batch()
    for event in events:
        take = _TAKERS.get(event.kind)
        if take:
            take(batch, event)
    return batch


def _submit(batch: Batch, event: Event) -> None:
    job = job_from_json(event.data["job"])
    batch.submissions[job.id] = job


def _start(batch: Batch, event: Event) -> None:
    for id, job, rank, run, allocation in event.data["rows"]:
        batch.started[id, run] = Started(job, rank, event.at, allocation)


def _end(batch: Batch, event: Event) -> None:
    for id, job, rank, run, state, code, began_at, ended_at, reason, cpu_s, memory_peak, done in event.data["rows"]:
        # the first report of a run counts
        batch.finished.setdefault(
            (id, run), Finished(job, rank, state, code, began_at, ended_at, reason, cpu_s, memory_peak)
        )
        if done:
            batch.done[job] = event.at


def _cancel(batch: Batch, event: Event) -> None:
    job = event.data["job"]
    ranks = RangeSet.parse(event.data["ranks"])
    batch.cancelled += [Cancelled(job, first, last, event.at, event.data["uid"]) for first, last in ranks.ranges]
    if event.data["done"]:
        batch.done[job] = event.at


def _step(batch: Batch, event: Event) -> None:
    for each in event.data["rows"]:
        row = step_from_json(each)
        batch.steps[row.job, row.run, row.step] = row


_TAKERS: dict[str, Callable[[Batch, Event], None]] = {
    "submit": _submit,
    "start": _start,
    "end": _end,
    "cancel": _cancel,
    "step": _step,
}
