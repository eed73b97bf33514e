"""Measure what an array of a million costs: `python -m bench.arrays [elements]`, a real server, no processes of jobs.

Memory of the server and of the scheduler's view while it waits (bench.held); then a run to its end by the real leader,
with nodes that report begin and end of whatever they are sent at once: elements a second over all, in the first and in
the last tenth. The server is the one that `crane up` would start here; it says itself which commands took how long, of
which the time that it waited for a processor is taken off.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beat.dispatch import Dispatcher
from beat.loop import Loop
from beat.reaper import Reaper
from bench.held import CONFIG, alternating, longest, whole
from bench.sched_core import Outbox, Row, spec
from crane_celery.settings import parse
from crane_celery.store.api import Began, Ended, Report, Submission
from crane_celery.store.clock import ServerClock
from crane_celery.store.redis import RedisStore
from crane_celery.supervisor.redis_server import TUNING, find_server
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Signer
from tests.support.server import Server, binary
from tests.support.slow import SLOW_US, Slow

_LOGGED_US = 10_000
_BEAT_S = 5.0


class Nodes:
    """Simulated nodes: whatever is launched begins and ends at once."""

    def __init__(self, store: RedisStore) -> None:
        self.settings = parse(CONFIG, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
        self._store = store
        self._epochs = {name: store.register(n, "h", "none", "0", "b").epoch for name, n in self.settings.nodes.items()}

    def beat(self) -> None:
        """All are alive: else the leader writes them off in a run of over 30 seconds."""
        for name, epoch in self._epochs.items():
            self._store.heartbeat(name, epoch, 30.0)

    def answer(self, outbox: Outbox) -> int:
        """Report on every message; how many elements ended."""
        done = 0
        for _, text, _ in outbox.sent:
            message = wire.read(text)
            began = [Began(each.id, each.run, 0.0) for each in message.launches]
            ended = [Ended(each.id, each.run, "Completed", 0, 0.0, 0.0) for each in message.launches]
            self._store.report(message.node, self._epochs[message.node], Report(began, ended))
            done += len(ended)
        outbox.sent.clear()
        return done


class Mark(NamedTuple):
    """Record of how far the run was, by the clock and by the server's use of a processor."""

    done: int
    at: float
    server_s: float


def run(store: RedisStore, slow: Slow, count: int) -> list[Row]:
    """An array to its end."""
    nodes, outbox, at = Nodes(store), Outbox(), len(slow.found)
    fence = store.lead("bench", 1e6)
    dispatcher = Dispatcher(outbox, Signer(Ed25519PrivateKey.generate()), lambda: secrets.token_hex(8))
    reaper = Reaper(store, nodes.settings, fence, time.monotonic)
    loop = Loop(store, nodes.settings.partitions, fence, dispatcher, reaper, ServerClock(store.now, time.monotonic))
    asked = spec(memory=1 << 30, partition=nodes.settings.default_partition, array=f"0-{count - 1}")
    store.submit([Submission(asked, count, b"")], [""])
    done, marks = 0, [Mark(0, time.perf_counter(), slow.worked_s)]
    beaten = marks[0].at
    while done < count:
        if marks[-1].at - beaten > _BEAT_S:
            nodes.beat()
            store.set_cursor("recorder", store.last_event())
            beaten = marks[-1].at
        loop.turn(1.0)
        done += nodes.answer(outbox)
        slow.look()
        marks.append(Mark(done, time.perf_counter(), slow.worked_s))
    return [*rates(marks, count), longest(slow, at, "longest command of the run")]


def rates(marks: list[Mark], count: int) -> list[Row]:
    """Elements a second over all, in the first and in the last tenth; what each cost the server then, which tells of
    growth on a busy machine too."""
    tenth = count // 10
    first = next(mark for mark in marks if mark.done >= tenth)
    last = next(mark for mark in marks if mark.done >= count - tenth)
    ends = (marks[0], first), (last, marks[-1])
    early, late = ((b.done - a.done) / (b.at - a.at) for a, b in ends)
    cheap, dear = ((b.server_s - a.server_s) / (b.done - a.done) * 1e6 for a, b in ends)
    return [
        Row(f"{count} elements, simulated nodes", count / (marks[-1].at - marks[0].at), "elements/s (>= 10,000)"),
        Row("the first tenth of them", early, "elements/s"),
        Row("the last tenth of them", late, "elements/s"),
        Row("the last by the first", late / early, "(>= 0.95)"),
        Row("CPU of the server for each of the first tenth", cheap, "us"),
        Row("CPU of the server for each of the last tenth", dear, "us"),
    ]


def measure(count: int) -> list[Row]:
    """All rows. Tells on the way what took the server 50 ms, and what it saw of forks and the disk."""
    os.environ.setdefault("CRANE_TEST_SERVER", find_server().program)
    tuning = [word for line in TUNING for word in f"--{line}".split()]
    with Server(["--latency-monitor-threshold", "20", *tuning]) as server:
        store = RedisStore(server.url, "{bench}")
        store.now()
        slow = Slow(server, store, _LOGGED_US)
        rows = whole(store, count) + alternating(store, slow, count) + run(store, slow, count)
        blocked = [entry for entry in slow.found if entry[0] >= SLOW_US]
        rows.append(Row("commands that took the server 50 ms", len(blocked), "(0)"))
        for took_us, command in blocked:
            print(f"  {took_us / 1000:.0f} ms: {command}", file=sys.stderr)
        told = store.link.do("INFO", "everything")
        print(f"  {binary()}, allocator {told['mem_allocator']}", file=sys.stderr)
        for name, _, _, most, *_ in store.link.do("LATENCY", "LATEST"):
            print(f"  {name.decode()}: up to {most} ms, waiting for a processor included", file=sys.stderr)
        store.close()
    return rows


def figures() -> dict[str, float]:
    """Return what goes into the table of all numbers, for a million elements."""
    names = (
        *("held_kib", "held_view_bytes", "alternating_kib", "alternating_built_bytes", "alternating_followed_bytes"),
        *("alternating_longest_ms", "million_per_s", "million_first_per_s", "million_last_per_s", "million_flat"),
        *("million_first_us", "million_last_us"),
        *("million_longest_ms", "million_blocked"),
    )
    return dict(zip(names, (row.value for row in measure(1_000_000)), strict=True))


def main() -> None:
    """Print the rows."""
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(f"{row.work:48} {row.value:12,.3f} {row.unit}")


if __name__ == "__main__":
    main()
