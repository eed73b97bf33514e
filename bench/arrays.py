"""What an array of a million costs: `python -m bench.arrays [elements]`, a real server, no processes of jobs.

Memory of the server and of the scheduler's view while it is held; then a run to its end by the real leader, with nodes
that report begin and end of whatever they are sent at once: elements a second over all, in the first and in the last
tenth. The server itself says whether any command took 50 ms.
"""

from __future__ import annotations

import secrets
import sys
import time
import tracemalloc

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beat.dispatch import Dispatcher
from beat.loop import Loop, ServerClock
from beat.reaper import Reaper
from bench.sched_core import Outbox, Row, spec
from crane_celery import wire
from crane_celery.sched.view import View
from crane_celery.settings import parse
from crane_celery.store.api import Began, Ended, Report, Submission
from crane_celery.store.redis import RedisStore
from tests.support.server import Server

_SLOW_US = 50_000
_BEAT_S = 5.0


def used(store: RedisStore) -> int:
    """Bytes that the server uses for data."""
    return int(store.link.do("INFO", "memory")["used_memory"])


def held(store: RedisStore, count: int) -> list[Row]:
    """Memory that a held array adds to the server, and to the scheduler for each element."""
    settings = parse(_CONFIG, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
    for _ in range(2):  # the scripts are loaded, the keys that a cluster has anyway are there
        store.cancel(store.submit([Submission(spec(array="0-9"), 10, b"", "", True)], [""])[0], "", 0)
    before = used(store)
    [id_] = store.submit([Submission(spec(array=f"0-{count - 1}"), count, b"", "", True)], [""])
    server = used(store) - before
    jobs = store.jobs([id_])
    tracemalloc.start()
    view = View.of(settings.partitions, 1.0, jobs, (), ())
    view_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(view.entries) == 1
    store.cancel(id_, "", 0)
    return [
        Row(f"server memory of {count} held elements", server / 1024, "KiB (<= 64)"),
        Row("scheduler memory of each of them", view_bytes / count, "bytes (<= 1)"),
    ]


_CONFIG = "ClusterName: bench\nNodes:\n  - {name: 'n[1-4]', cpu: 256, memory: 512G}\n"


class Nodes:
    """Simulated nodes: whatever is launched begins and ends at once."""

    def __init__(self, store: RedisStore) -> None:
        self.settings = parse(_CONFIG, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
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


def run(store: RedisStore, count: int) -> list[Row]:
    """An array to its end."""
    nodes, outbox = Nodes(store), Outbox()
    fence = store.lead("bench", 1e6)
    dispatcher = Dispatcher(outbox, wire.Signer(Ed25519PrivateKey.generate()), lambda: secrets.token_hex(8))
    reaper = Reaper(store, nodes.settings, fence, time.monotonic)
    loop = Loop(store, nodes.settings.partitions, fence, dispatcher, reaper, ServerClock(store, time.monotonic))
    asked = spec(memory=1 << 30, partition=nodes.settings.default_partition, array=f"0-{count - 1}")
    store.submit([Submission(asked, count, b"")], [""])
    done, marks = 0, [(time.perf_counter(), 0)]
    beaten = marks[0][0]
    while done < count:
        if marks[-1][0] - beaten > _BEAT_S:
            nodes.beat()
            beaten = marks[-1][0]
        loop.turn(1.0)
        done += nodes.answer(outbox)
        store.set_cursor("recorder", store.last_event())
        marks.append((time.perf_counter(), done))
    tenth = count // 10
    first = next(mark for mark in marks if mark[1] >= tenth)
    last = next(mark for mark in marks if mark[1] >= count - tenth)
    return [
        Row(f"{count} elements, simulated nodes", count / (marks[-1][0] - marks[0][0]), "elements/s (>= 10,000)"),
        Row("the first tenth of them", first[1] / (first[0] - marks[0][0]), "elements/s"),
        Row("the last tenth of them", (count - last[1]) / (marks[-1][0] - last[0]), "elements/s"),
    ]


def main() -> None:
    """Print the rows."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with Server() as server:
        store = RedisStore(server.url, "{bench}")
        store.now()
        store.link.do("CONFIG", "SET", "slowlog-log-slower-than", _SLOW_US)
        store.link.do("SLOWLOG", "RESET")
        rows = held(store, count) + run(store, count)
        slow = store.link.do("SLOWLOG", "GET", 100)
        rows.append(Row("commands that took the server 50 ms", len(slow), "(0)"))
        for each in slow:
            print(f"  {each[2] / 1000:.0f} ms: {str(each[3])[:100]}")
        store.close()
    for row in rows:
        print(f"{row.work:48} {row.value:12,.3f} {row.unit}")


if __name__ == "__main__":
    main()
