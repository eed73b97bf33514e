"""Events become what is to be written. Pure; one batch is one transaction."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.schema import FINAL, REQUEUED, REQUEUED_HELD
from crane_celery.model.asjson import job_from_json, step_from_json
from crane_celery.model.event import EndRow, Event, Position, ends, starts
from crane_celery.model.event_checks import UNREADABLE, original
from crane_celery.model.job import WAITING, Job, StepRow
from crane_celery.model.states import TERMINATED, State


class Started(NamedTuple):
    """Record of what the end of a run needs of its start."""

    job: int
    rank: int
    leased_at: float
    allocation: list[list[Any]]  # [[node, cpus, memory, {gres: [slots]}], ...]


class Finished(NamedTuple):
    """A row of an ``end`` or ``again`` event, but for its key."""

    job: int
    rank: int
    state: str
    code: int
    began_at: float
    ended_at: float
    reason: str
    cpu_s: float
    memory_peak: int
    again: int = FINAL  # schema.RUN
    suspended_s: float = 0.0  # of a run whose suspensions nobody saw
    memory_deaths: int = 0


class Cancelled(NamedTuple):
    """Ranks that ended by one event, while they were pending: one at least."""

    job: int
    ranks: RangeSet
    at: float
    by_uid: int
    state: str = State.CANCELLED.value
    code: int = TERMINATED
    reason: str = ""


class Told(NamedTuple):
    """Record of what happened to ranks of a submission beside their runs (schema.TOLD)."""

    job: int
    ms: int
    seq: int
    nth: int
    at: float
    kind: str
    ranks: str  # "" = all
    detail: str = ""
    by_uid: int = -1


class Revived(NamedTuple):
    """Ranks that had ended and are pending again: one at least."""

    job: int
    ranks: RangeSet
    again: int


RunKey = tuple[int, int]  # (plain id, run)


@dataclass(slots=True)
class Batch:
    """The transitions of some events, each kind ready to be written in one go. What comes later replaces."""

    submissions: dict[int, Job] = field(default_factory=dict)
    started: dict[RunKey, Started] = field(default_factory=dict)
    finished: dict[RunKey, Finished] = field(default_factory=dict)
    cancelled: list[Cancelled] = field(default_factory=list)
    steps: dict[tuple[int, int, int], StepRow] = field(default_factory=dict)
    done: dict[int, float] = field(default_factory=dict)  # submission -> when its last element ended, 0 = it goes on
    changes: dict[int, str] = field(default_factory=dict)  # submission -> Job.changes
    revived: list[Revived] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    #: which runs were suspended or go on, in order: key, state, when
    moved: list[tuple[RunKey, str, float]] = field(default_factory=list)
    #: what stops these runs: told under a job of 0 and no ranks, as the event does not name them
    stops: list[tuple[Told, list[RunKey]]] = field(default_factory=list)
    _place: tuple[str, int] = ("", 0)

    def note(self, event: Event, job: int, ranks: str, kind: str = "", **detail: Any) -> Told:
        """Return what is to be told of an event; its place in the stream is its key."""
        nth = self._place[1] + 1 if self._place[0] == event.seq else 0
        self._place = event.seq, nth
        text = json.dumps(detail, separators=(",", ":")) if detail else ""
        by = event.data.get("uid", -1)
        return Told(job, *Position.parse(event.seq), nth, event.at, kind or event.kind, ranks, text, by)

    def tell(self, event: Event, job: int, ranks: str, kind: str = "", **detail: Any) -> None:
        """Have it told."""
        self.told.append(self.note(event, job, ranks, kind, **detail))


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
    if job.held:
        batch.tell(event, job.id, job.held, "hold")


def _start(batch: Batch, event: Event) -> None:
    for row in starts(event.data):
        batch.started[row.id, row.run] = Started(row.job, row.rank, event.at, row.allocation)


def _end(batch: Batch, event: Event) -> None:
    for row in ends(event.data):
        _finish(batch, row, FINAL)
        if row.last:
            batch.done[row.job] = event.at


def _again(batch: Batch, event: Event) -> None:
    for row in ends(event.data):
        _finish(batch, row, REQUEUED_HELD if row.last else REQUEUED)


def _finish(batch: Batch, row: EndRow, again: int) -> None:
    """The first report of a run counts."""
    end = Finished(
        row.job, row.rank, row.state, row.code, row.began_at, row.ended_at, row.reason, row.cpu_s, row.memory_peak,
        again, memory_deaths=row.memory_deaths,
    )  # fmt: skip
    batch.finished.setdefault((row.id, row.run), end)


def _cancel(batch: Batch, event: Event) -> None:
    data = event.data
    job, ranks = data["job"], data["ranks"]
    how: dict[str, Any] = {name: data[name] for name in ("state", "code", "reason") if name in data}
    gone = RangeSet.parse(ranks)
    if gone:
        batch.cancelled.append(Cancelled(job, gone, event.at, data["uid"], **how))
    batch.tell(event, job, ranks, "expire" if how else "cancel", **how)
    if data["done"]:
        batch.done[job] = event.at


def _revive(batch: Batch, event: Event) -> None:
    """Ends are taken back: of this batch here, of those before it when it is written."""
    job = job_from_json(event.data["job"])
    ranks, again = RangeSet.parse(event.data["ranks"]), REQUEUED_HELD if event.data["held"] else REQUEUED
    if ranks:
        batch.revived.append(Revived(job.id, ranks, again))
    for key, end in batch.finished.items():
        if end.job == job.id and end.rank in ranks and not end.again:
            batch.finished[key] = end._replace(again=again)
    batch.cancelled = [left for each in batch.cancelled if (left := without(each, job.id, ranks))]
    batch.done[job.id] = 0.0
    batch.changes[job.id] = job.changes
    detail: dict[str, Any] = {"held": 1} if event.data["held"] else {}
    batch.tell(event, job.id, event.data["ranks"], **detail)


def without(each: Cancelled, job: int, ranks: RangeSet) -> Cancelled | None:
    """Return what is left of it when these ranks of a submission are pending again; None = nothing."""
    if each.job != job:
        return each
    left = each.ranks - ranks
    if len(left) == len(each.ranks):
        return each
    return each._replace(ranks=left) if left else None


def _update(batch: Batch, event: Event) -> None:
    data = event.data
    batch.changes[data["job"]] = data["changes"]
    batch.tell(event, data["job"], data["ranks"], **data["set"])


def _hold(batch: Batch, event: Event) -> None:
    until = event.data.get("until", 0)
    batch.tell(event, event.data["job"], event.data["ranks"], **({"until": until} if until else {}))


def _judge(batch: Batch, event: Event) -> None:
    """That it waits on is no news, unless a verdict was taken back: many judgements of one job say so."""
    again = {"requeued": event.data["requeued"]} if "requeued" in event.data else {}
    for job, ready in event.data["rows"]:
        if ready != WAITING or again:
            batch.tell(event, job, "", ready=ready, **again)


def _depend(batch: Batch, event: Event) -> None:
    batch.changes[event.data["job"]] = event.data["changes"]
    batch.tell(event, event.data["job"], "", dependency=event.data["text"])


def _kill(batch: Batch, event: Event) -> None:
    """Runs are asked to stop, each signal apart."""
    runs: dict[int, list[RunKey]] = {}
    for id, run, _node, signal in event.data["rows"]:
        runs.setdefault(signal, []).append((id, run))
    then = {"then": event.data["then"]} if "then" in event.data else {}
    batch.stops += [(batch.note(event, 0, "", signal=signal, **then), keys) for signal, keys in runs.items()]


def _move(batch: Batch, event: Event) -> None:
    """Runs were suspended or go on: those of a submission at once."""
    moved: dict[tuple[int, str, int], list[int]] = {}
    for id, job, run, state, at, *by in event.data["rows"]:
        if state == State.COMPLETING:  # its end, which is about to come, says all that is filed
            continue
        batch.moved.append(((id, run), state, at))
        moved.setdefault((job, state, by[0] if by else -1), []).append(id - job)
    for (job, state, uid), ranks in moved.items():
        told = batch.note(event, job, RangeSet.of(ranks).text, "suspend" if state == State.SUSPENDED else "resume")
        batch.told.append(told._replace(by_uid=uid))


def _step(batch: Batch, event: Event) -> None:
    for each in event.data["rows"]:
        row = step_from_json(each)
        batch.steps[row.job, row.run, row.step] = row


def _unreadable(batch: Batch, event: Event) -> None:
    """Take one that this version can read, after all; raise what is wrong with another, so that it is set aside."""
    real = original(event)
    if take := _TAKERS.get(real.kind):
        take(batch, real)


_TAKERS: dict[str, Callable[[Batch, Event], None]] = {
    "submit": _submit,
    "start": _start,
    "end": _end,
    "again": _again,
    "cancel": _cancel,
    "revive": _revive,
    "update": _update,
    "hold": _hold,
    "release": _hold,
    "judge": _judge,
    "depend": _depend,
    "kill": _kill,
    "move": _move,
    "step": _step,
    UNREADABLE: _unreadable,
}
