"""Which Celery events say what happened: steps as tasks, nodes as workers. Holds what runs now; does no IO.

The PRIMARY and COMMON steps are tasks; step 0 runs no user code and is none. A task's id is the step's id, ``12.1`` or
``36_2.1``, with ``#run`` from the second run on; its name is the job's. COMMON steps have the PRIMARY one as parent.
Elements that are cancelled before they get a node have no step, so Flower never sees them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from crane_celery import faults
from crane_celery.grammar.array import IndexSet
from crane_celery.model.asjson import allocation_from_json, job_from_json, node_from_json, step_from_json
from crane_celery.model.event import EndRow, Event, StartRow, ends, starts
from crane_celery.model.job import Element, Job, StepRow, elapsed, paused
from crane_celery.model.node import Node, NodeState
from crane_celery.model.states import CODE_MEANING, SIGNAL_BASE, TERMINATED, State, show_code, show_deaths
from crane_celery.service.query.privacy import HIDDEN
from crane_celery.store.api import Snapshot

_MAX_ARGS = 200  # characters of a command


class Message(NamedTuple):
    """One Celery monitoring event."""

    type: str
    hostname: str
    fields: dict[str, Any]


class Label(NamedTuple):
    """Record of what is the same for all tasks of a submission."""

    id: int
    name: str
    args: str
    indexes: IndexSet | None

    def shown(self, rank: int) -> str:
        """The element as people see it."""
        return str(self.id + rank) if self.indexes is None else f"{self.id}_{self.indexes.index_of(rank)}"


@dataclass(slots=True, kw_only=True)
class Running:
    """A run that holds a node."""

    label: Label
    shown: str
    run: int
    node: str
    leased_at: float
    began_at: float = 0.0
    suspended_at: float = 0.0  # since when it is
    suspended_s: float = 0.0  # earlier suspensions
    #: COMMON steps of it that began
    steps: set[int] = field(default_factory=set)

    def uuid(self, step: int) -> str:
        """The task id of one of its steps."""
        return f"{self.shown}.{step}" + (f"#{self.run}" if self.run > 1 else "")

    def identity(self, step: int = 1) -> dict[str, Any]:
        """Return what every event of a task repeats, so that Flower may join at any moment."""
        return {
            "uuid": self.uuid(step),
            "name": self.label.name,
            "args": self.label.args,
            "kwargs": "",
            "retries": self.run - 1,
            "root_id": self.uuid(1),
        }


class Board:
    """Record of what Flower should know. Feed it a snapshot, then every event after it."""

    def __init__(self, snapshot: Snapshot, *, commands: bool = True) -> None:
        """Take what lives now. ``commands``: show command lines: Flower cannot tell who looks at it."""
        self._commands = commands
        self._labels: dict[int, Label] = {}
        for job in snapshot.jobs:
            _guarded(f"job {job.id}", self._name, job)
        self._nodes: dict[str, Node] = {node.spec.name: node for node in snapshot.nodes}
        self._running: dict[tuple[int, int], Running] = {}
        self._active: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        for element in snapshot.elements:
            _guarded(f"element {element.id}", self._adopt, element)

    @property
    def running(self) -> Iterable[tuple[int, int]]:
        """(id, run) of everything that holds a node."""
        return self._running.keys()

    def opening(self) -> Iterator[Message]:
        """All that is true now: nodes that are up, and what runs."""
        yield from self.heartbeats("worker-online")
        for each in self._running.values():
            yield self._received(each)
            if each.began_at:
                yield self._started(each)

    def heartbeats(self, kind: str = "worker-heartbeat", period_s: float = 5.0) -> Iterator[Message]:
        """One for every node that is up; ``period_s`` tells Flower when to expect the next."""
        for name, node in self._nodes.items():
            if node.state is not NodeState.DOWN:
                yield self._worker(kind, name, node, period_s)

    def refresh(self, limit: int) -> Iterator[Message]:
        """Yield what runs, told again for a Flower that came late: up to ``limit`` tasks."""
        began = (each for each in self._running.values() if each.began_at)
        for each, _ in zip(began, range(limit), strict=False):
            yield self._started(each)

    def take(self, event: Event) -> Iterator[Message]:
        """Yield what an event means to Flower."""
        match event.kind:
            case "submit" | "revive":
                self._name(job_from_json(event.data["job"]))
            case "start":
                for row in starts(event.data):
                    yield self._start(event.at, row)
            case "begin":
                for id, _job, run, at in event.data["rows"]:
                    yield from self._begin((id, run), at)
            case "move":
                self._move(event.data["rows"])
            case "end" | "again":
                for end in ends(event.data):
                    yield from self._end(end, event.kind == "end")
            case "step":
                yield from chain.from_iterable(self._step(step_from_json(row)) for row in event.data["rows"])
            case "cancel" if event.data["done"]:
                self._labels.pop(event.data["job"], None)
            case "node":
                yield from self._node(node_from_json(event.data["node"]))

    def forget(self, key: tuple[int, int], found: Element | None) -> Iterator[Message]:
        """A run that is not running any more, though its end was not heard of; ``found`` is what became of it."""
        run = self._running.get(key)
        if run and found and found.run == key[1] and found.ended_at:
            why = with_deaths(found.reason, found.memory_deaths)
            yield from self._finish(key, run, found.state, found.code, found.began_at, found.ended_at, why)
        elif run:
            yield from self._finish(key, run, State.FAILED, 0, run.began_at, run.began_at, "its end was not heard of")

    def _adopt(self, element: Element) -> None:
        label = self._labels.get(element.job) or Label(element.job, f"job {element.job}", "", None)
        self._running[element.id, element.run] = Running(
            label=label,
            shown=label.shown(element.rank),
            run=element.run,
            node=element.allocation[0].node if element.allocation else "",
            leased_at=element.leased_at,
            began_at=element.began_at,
            suspended_at=element.suspended_at,
            suspended_s=element.suspended_s,
        )
        self._active[self._running[element.id, element.run].node] += 1

    def _start(self, at: float, row: StartRow) -> Message:
        label = self._labels.get(row.job) or Label(row.job, f"job {row.job}", "", None)
        node = allocation_from_json(row.allocation)[0].node
        made = Running(label=label, shown=label.shown(row.rank), run=row.run, node=node, leased_at=at)
        self._running[row.id, row.run] = made
        self._active[made.node] += 1
        return self._received(made)

    def _begin(self, key: tuple[int, int], at: float) -> Iterator[Message]:
        run = self._running.get(key)
        if run and not run.began_at:
            run.began_at = at
            yield self._started(run)

    def _move(self, rows: Iterable[list[Any]]) -> None:
        """Runs were suspended, or go on: Flower knows no such state, but the time does not count."""
        for id, _job, number, state, at, *_by in rows:
            run = self._running.get((id, number))
            if run and state == State.SUSPENDED:
                run.suspended_at = run.suspended_at or at
            elif run:
                run.suspended_s, run.suspended_at = paused(run.suspended_s, run.suspended_at, at), 0.0

    def _end(self, end: EndRow, final: bool) -> Iterator[Message]:
        """``final``: it is not pending again."""
        key = end.id, end.run
        if known := self._running.get(key):
            why = with_deaths(end.reason, end.memory_deaths)
            yield from self._finish(key, known, State(end.state), end.code, end.began_at, end.ended_at, why)
        if final and end.last:
            self._labels.pop(end.job, None)

    def _finish(
        self, key: tuple[int, int], run: Running, state: State, code: int, began_at: float, ended_at: float, why: str
    ) -> Iterator[Message]:
        if began_at:
            yield from self._begin(key, began_at)
        del self._running[key]
        self._active[run.node] -= 1
        self._done[run.node] += 1
        runtime = elapsed(began_at, ended_at, paused(run.suspended_s, run.suspended_at, ended_at)) or 0.0
        yield _ended(_host(run.node), run.identity(), state, code, runtime, ended_at, why)

    def _step(self, step: StepRow) -> Iterator[Message]:
        """A COMMON step: its beginning, or, when it is told of at its end only, both."""
        run = self._running.get((step.job, step.run)) or _stray(step)
        host = _host(step.node.partition(",")[0] or run.node)
        identity = {
            **run.identity(step.step),
            "args": self._shown(step.command),
            "kwargs": step.name,
            "parent_id": run.uuid(1),
        }
        began = step.began_at or step.ended_at
        if step.step not in run.steps:
            run.steps.add(step.step)
            yield Message("task-received", host, {**identity, "timestamp": began})
            yield Message("task-started", host, {**identity, "timestamp": began})
        if step.ended_at:
            runtime = max(0.0, step.ended_at - began)
            yield _ended(host, identity, step.state, step.code, runtime, step.ended_at, show_deaths(step.memory_deaths))

    def _name(self, job: Job) -> None:
        self._labels[job.id] = self._label(job)

    def _label(self, job: Job) -> Label:
        spec = job.spec
        indexes = IndexSet.parse(spec.array) if spec.array else None
        return Label(job.id, spec.name, self._shown(spec.command), indexes)

    def _shown(self, command: str) -> str:
        return command[:_MAX_ARGS] if self._commands or not command else HIDDEN

    def _node(self, node: Node) -> Iterator[Message]:
        name = node.spec.name
        before = self._nodes.get(name)
        self._nodes[name] = node
        was_up = before is not None and before.state is not NodeState.DOWN
        if was_up != (node.state is not NodeState.DOWN):
            yield self._worker("worker-offline" if was_up else "worker-online", name, node, 5.0)

    def _worker(self, kind: str, name: str, node: Node, period_s: float) -> Message:
        fields = {
            "freq": period_s,
            "active": self._active[name],
            "processed": self._done[name],
            "loadavg": [],
            "sw_ident": "crane-celery",
            "sw_ver": node.version,
            "sw_sys": node.host,
        }
        return Message(kind, _host(name), fields)

    def _received(self, run: Running) -> Message:
        return Message("task-received", _host(run.node), {**run.identity(), "timestamp": run.leased_at})

    def _started(self, run: Running) -> Message:
        fields = {**run.identity(), "received": run.leased_at, "timestamp": run.began_at}
        return Message("task-started", _host(run.node), fields)


def _guarded(what: str, take: Callable[[Any], None], record: Any) -> None:
    """Take one record of a snapshot; one that cannot be taken costs itself only."""
    try:
        take(record)
    except Exception:
        faults.record("a record of the server could not be shown:", what)


def _stray(step: StepRow) -> Running:
    """The run of a step that came after its run's end."""
    label = Label(step.job, step.name, "", None)
    return Running(label=label, shown=str(step.job), run=step.run, node=step.node, leased_at=step.began_at)


def _host(node: str) -> str:
    """The name of the node's Celery worker."""
    return f"crane@{node}"


def with_deaths(reason: str, deaths: int) -> str:
    """Why a run ended so, and how many of its processes were killed because memory ran out."""
    return "; ".join(filter(None, (reason, show_deaths(deaths))))


def _ended(
    host: str, identity: dict[str, Any], state: State, code: int, runtime: float, at: float, why: str
) -> Message:
    fields = {**identity, "runtime": runtime, "timestamp": at}
    if state is State.COMPLETED:
        return Message("task-succeeded", host, {**fields, "result": f"{show_code(code)} {why}".rstrip()})
    if state is State.CANCELLED:
        signum = code - SIGNAL_BASE if SIGNAL_BASE < code < TERMINATED else None
        return Message("task-revoked", host, {**fields, "terminated": True, "signum": signum, "expired": False})
    told = " ".join(part for part in (str(state), show_code(code), why or CODE_MEANING.get(code, "")) if part)
    return Message("task-failed", host, {**fields, "exception": told, "traceback": ""})
