"""A cluster in memory: a store, a scheduler over it, and nodes that do what they are told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from beat.dispatch import Dispatcher
from beat.leader import Leader
from crane_celery.errors import CraneError, Unreachable
from crane_celery.model.event import Event
from crane_celery.model.job import JobSpec
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.settings import Settings
from crane_celery.store.api import Began, Ended, Report, Snapshot, Start, Store, Submission
from crane_celery.store.memory import MemoryStore
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Signer

GIB = 1 << 30


@dataclass
class FakeClock:
    """Time that passes when told."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class FakeOutbox:
    """Keeps what was sent; ``down`` makes it fail."""

    sent: list[wire.Message] = field(default_factory=list)
    down: bool = False
    closed: int = 0

    def put(self, node: str, text: str, signature: str) -> None:
        if self.down:
            raise Unreachable("down")
        message = wire.read(text)
        assert message.node == node and signature == ""
        self.sent.append(message)

    def close(self) -> None:
        self.closed += 1

    def launched(self) -> list[int]:
        """Ids of all launches so far, in order."""
        return [launch.id for message in self.sent for launch in message.launches]


class EagerStore(MemoryStore):
    """Never waits for events: in these tests the clock does not move by itself."""

    waited = 0.0
    #: raised by the next start, after it was committed
    fails: CraneError | None = None
    #: raised by every read of events
    deaf: Exception | None = None
    #: every start is refused, for no reason
    stubborn = False
    #: happens once, just before the next start
    meanwhile: Callable[[], None] | None = None
    starts = 0
    #: what the next read of events brings ahead of the others
    injected: Sequence[Event] = ()

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Return what there is; remembers how long the caller would have waited."""
        if self.deaf:
            raise self.deaf
        self.waited = block_s
        injected, self.injected = self.injected, ()
        return [*injected, *super().events(after, 0.0, limit)]

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit, with what the test wants to go wrong."""
        self.starts += 1
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if self.stubborn:
            return ["no"] * len(starts)
        answers = super().start(fence, starts)
        fails, self.fails = self.fails, None
        if fails:
            raise fails
        return answers


def settings(nodes: Sequence[str] = ("n1", "n2"), **more: Any) -> Settings:
    specs = {name: NodeSpec(name=name, cpus=4, memory=8 * GIB, gres={"gpu:a": 2}) for name in nodes}
    fields: dict[str, Any] = {
        "cluster": "test",
        "path": "",
        "home": "/nowhere",
        "run_dir": "/nowhere/run",
        "server_url": "unix:///nowhere",
        "embedded": True,
        "history_url": "",
        "allow_root": True,
        "single_user_uid": None,
        "nodes": specs,
        "partitions": {"main": Partition(name="main", nodes=tuple(nodes))},
        "default_partition": "main",
    }
    return Settings(**(fields | more))


def spec(**more: Any) -> JobSpec:
    fields: dict[str, Any] = {"name": "job", "uid": 1000, "gid": 1000, "user": "ann", "memory": GIB}
    return JobSpec(**(fields | {"partition": "main"} | more))


class Far:
    """The store as a scheduler sees it: answers about the time take ``lag_s`` on their way, and waiting takes time."""

    def __init__(self, store: EagerStore, clock: FakeClock) -> None:
        self._store = store
        self._clock = clock
        self.lag_s = 0.0
        #: whether a read that finds no events takes as long as it may
        self.sleeps = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def now(self) -> float:
        """The answer is given, then travels."""
        at = self._store.now()
        self._clock.at += self.lag_s
        return at

    def snapshot(self) -> Snapshot:
        """The same, with a time of its own."""
        shot = self._store.snapshot()
        self._clock.at += self.lag_s
        return shot

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Return what there is."""
        found = self._store.events(after, block_s, limit)
        if self.sleeps and not found:
            self._clock.at += block_s
        return found


class Cluster:
    """Store, clock and one scheduler; more may be added."""

    #: programs run around jobs, on all of their nodes
    guests = False
    #: the server's clock - the monotonic clock of everybody
    server_ahead_s = 0.0

    def __init__(self, nodes: Sequence[str] = ("n1", "n2"), register: bool = True, **more: Any) -> None:
        self.clock = FakeClock()
        self.settings = settings(nodes, **more)
        self.store = EagerStore(lambda: self.clock() + self.server_ahead_s)
        self.far = Far(self.store, self.clock)
        self.outbox = FakeOutbox()
        self.leader = self.scheduler("one", self.outbox)
        if register:
            for name in nodes:
                self.store.register(self.settings.nodes[name], "host", "none", "0", "boot")

    def scheduler(self, holder: str, outbox: FakeOutbox) -> Leader:
        nonces = itertools.count()
        dispatcher = Dispatcher(outbox, Signer(None), lambda: f"{holder}-{next(nonces)}", self.guests)
        return Leader(cast(Store, self.far), self.settings, dispatcher, holder, self.clock)

    def submit(self, count: int = 1, dep: str = "", held: bool = False, **more: Any) -> int:
        if count > 1:
            more.setdefault("array", f"0-{count - 1}")
        asked = spec(**more)
        return self.store.submit([Submission(asked, count, b"", dep, held, float(asked.priority))], [""])[0]

    def turns(self, number: int = 4) -> None:
        for _ in range(number):
            self.leader.turn()

    def begin(self, *ids: int, node: str | None = None) -> None:
        for id in ids:
            element = self.store.elements([id])[0]
            where = node or element.allocation[0].node
            known = self.store.node(where)
            assert known is not None
            self.store.report(where, known.epoch, Report(began=[Began(id, element.run, self.store.now())]))

    def end(self, *ids: int, state: str = "Completed", code: int = 0) -> None:
        for id in ids:
            element = self.store.elements([id])[0]
            where = element.allocation[0].node
            known = self.store.node(where)
            assert known is not None
            now = self.store.now()
            ended = Ended(id, element.run, state, code, now, now)
            self.store.report(where, known.epoch, Report(ended=[ended]))
