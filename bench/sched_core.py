"""The scheduler's own speed, on one core and without a server: `python -m bench.sched_core`.

Prints decisions a second over 10,000 nodes that are 90 % full (one pending plain job considered, with its outcome; the
elements of an array do not count), and what one element of a 10,000 element array costs the leader all in: its events,
plan, commit, signature and message, without the time spent inside the store and the broker.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beat.dispatch import Dispatcher
from beat.loop import Loop
from beat.reaper import Reaper
from crane_celery.model.job import Job, JobSpec
from crane_celery.model.node import Node, NodeSpec, NodeState, Partition
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config
from crane_celery.sched.reasons import explain
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View
from crane_celery.settings import parse
from crane_celery.store.api import Began, Ended, Report, Submission
from crane_celery.store.clock import ServerClock
from crane_celery.store.memory import MemoryStore
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Signer

GIB = 1 << 30
NODES, CPUS = 10_000, 64
SEED = 1


class Row(NamedTuple):
    """One printed line."""

    work: str
    value: float
    unit: str


def spec(cpus: float = 1.0, memory: int = GIB, **more: Any) -> JobSpec:
    """A request."""
    fields = {"name": "b", "uid": 1, "gid": 1, "user": "b", "partition": "main"} | more
    return JobSpec(cpus_per_task=cpus, memory=memory, **fields)


def loaded_view(jobs: list[Job]) -> View:
    """10,000 nodes: nine of ten are full, on the others a random part is free."""
    random = Random(SEED)
    names = [f"n{number}" for number in range(NODES)]
    nodes = [Node(spec=NodeSpec(name=name, cpus=CPUS, memory=256 * GIB), state=NodeState.UP, epoch=1) for name in names]
    main = Partition(name="main", nodes=tuple(names))
    fillers = [
        job(number + 1, spec(CPUS if random.random() < 0.85 else CPUS // 2, time_limit=random.randint(600, 86400)))
        for number in range(NODES)
    ]
    view = view_of({"main": main}, 100.0, fillers, (), nodes)
    view.started(schedule(view, 100.0, Config(max_starts=NODES)).starts)
    for each in jobs:
        view.entries.pop(each.id, None)
    later = view_of({"main": main}, 100.0, jobs, (), nodes)
    later.pool, later.work = view.pool, view.work
    return later


def job(number: int, asked: JobSpec) -> Job:
    """A pending plain job."""
    return Job(id=number, spec=asked, count=1, submitted_at=1.0, pending="0", priority=0.0)


def decisions(work: str, make: Callable[[Random], JobSpec], pending: int, starts: int) -> Row:
    """Cycles over a queue until each of its jobs has been considered: started, or turned down with a reason."""
    random = Random(SEED)
    view = loaded_view([job(100_000 + number, make(random)) for number in range(pending)])
    begin = time.process_time()
    plan = schedule(view, 100.0, Config(max_starts=starts))
    spent = time.process_time() - begin
    started = len(plan.starts)
    assert not plan.partial and started < pending
    left = next(entry.job.id for entry in view.pending() if not any(s.job == entry.job.id for s in plan.starts))
    print(f"  {work}: {pending} pending, {started} started, {spent:.3f} s; {left}: {explain(view, plan, left, 100.0)}")
    return Row(work, pending / spent, "decisions/s")


class Outbox:
    """Keeps messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    def put(self, node: str, text: str, signature: str) -> None:
        """Keep one."""
        self.sent.append((node, text, signature))

    def close(self) -> None:
        """Nothing."""


class TimedStore(MemoryStore):
    """Measures the time spent inside it."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.spent = 0.0
        for name in ("start", "events", "questions", "judge", "snapshot", "nodes", "now", "forget", "trim"):
            setattr(self, name, self._timed(getattr(self, name)))

    def _timed(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            begin = time.process_time()
            try:
                return verb(*args)
            finally:
                self.spent += time.process_time() - begin

        return timed


def array_cost(count: int) -> Row:
    """CPU of the leader for each element of an array on 4 nodes of 16 CPUs, ends coming back in batches."""
    text = "ClusterName: bench\nNodes:\n  - {name: 'n[1-4]', cpu: 16, memory: 64G}\n"
    settings = parse(text, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
    store, outbox = TimedStore(), Outbox()
    epochs = {name: store.register(node, "h", "none", "0", "b").epoch for name, node in settings.nodes.items()}
    fence = store.lead("bench", 1e9)
    signer = Signer(Ed25519PrivateKey.generate())
    dispatcher = Dispatcher(outbox, signer, lambda: secrets.token_hex(8))
    reaper = Reaper(store, settings, fence, time.monotonic)
    loop = Loop(store, settings.partitions, fence, dispatcher, reaper, ServerClock(store.now, time.monotonic))
    asked = spec(partition=settings.default_partition, array=f"0-{count - 1}")
    store.submit([Submission(asked, count, b"")], [""])
    spent, done = 0.0, 0
    while done < count:
        begin, before = time.process_time(), store.spent
        loop.turn(1.0)
        spent += time.process_time() - begin - (store.spent - before)
        for _, text, _ in outbox.sent:
            message = wire.read(text)
            began = [Began(each.id, each.run, 0.0) for each in message.launches]
            ended = [Ended(each.id, each.run, "Completed", 0, 0.0, 0.0) for each in message.launches]
            store.report(message.node, epochs[message.node], Report(began, ended))
            done += len(ended)
        outbox.sent.clear()
    return Row(f"leader's CPU for each of {count} array elements", spent / count * 1000, "ms")


def mixed(random: Random) -> JobSpec:
    """Requests of many sizes and lengths: those that find no room have rooms kept for them, and others slip in."""
    return spec(random.randint(1, CPUS), random.randint(1, 256) * GIB, time_limit=60 * random.randint(1, 600))


def figures() -> dict[str, float]:
    """Decisions a second, for the table of all numbers."""
    return {
        "equal_per_s": decisions("equal requests", lambda _: spec(2.0), 100_000, 100_000).value,
        "mixed_per_s": decisions("mixed requests", mixed, 20_000, 20_000).value,
    }


def main() -> None:
    """Print the rows."""
    found = figures()
    rows = [
        Row("equal requests", found["equal_per_s"], "decisions/s"),
        Row("mixed requests", found["mixed_per_s"], "decisions/s"),
        array_cost(10_000),
    ]
    for row in rows:
        print(f"{row.work:48} {row.value:12,.3f} {row.unit}")


if __name__ == "__main__":
    main()
