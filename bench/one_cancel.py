"""Measure what ``ccancel`` of one job that another one waits for costs the server, with 10 and with 100,000 others
pending.

A gateway's service on a real server, which has been asked before: the first question reads everything. Both sizes are
measured in turn. By hand: ``python -m bench.one_cancel [many]``.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.model.job import JobSpec
from crane_celery.service import Service
from crane_celery.service.query.filters import Filters
from crane_celery.service.shared.caller import Caller
from crane_celery.settings import parse
from crane_celery.store.api import Submission
from crane_celery.store.redis import RedisStore
from crane_celery.supervisor.redis_server import find_server
from tests.support.server import Server

FEW, MANY, ROUNDS = 10, 100_000, 31
_CALLER = Caller(uid=1000, gid=1000, pid=1)


class Cost(NamedTuple):
    """One cancel: work of the server's main thread, commands it was sent, and how long the caller waited."""

    server_us: float
    commands: float
    waited_ms: float


class Site:
    """A server with jobs pending, and the service of a gateway over it."""

    def __init__(self, server: Server, pending: int) -> None:
        """Nothing but these is pending."""
        self._schedstat = Path(f"/proc/{server.pid}/schedstat")
        self.store = RedisStore(server.url, "{bench}")
        text = "ClusterName: bench\nNodes:\n  - {name: 'n[1-4]', cpu: 16, memory: 64G}\n"
        self.service = Service(self.store, parse(text, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"}))
        self.spec = JobSpec(name="bench", uid=1000, gid=1000, user="bench", command="true")
        for at in range(0, pending, 10_000):
            some = min(10_000, pending - at)
            self.store.submit([Submission(self.spec, 1, b"")] * some, [""] * some)
        self.service.query.queue.live.current()

    def cancel(self) -> Cost:
        """Submit a pair, the second of which waits for the first; cancel the first."""
        [first] = self.store.submit([Submission(self.spec, 1, b"")], [""])
        dep = encode(Resolved(False, ((Block("afterok", first, first, 1, 0, f"afterok:{first}"),),)))
        self.store.submit([Submission(self.spec, 1, b"", dep)], [""])
        commands, work, begin = self._commands(), self._work_us(), time.perf_counter()
        done = self.service.control.cancel(_CALLER, parse_selectors(str(first)), Filters())
        waited = time.perf_counter() - begin
        spent, sent = self._work_us() - work, self._commands() - commands - 1
        if done.never != 1:
            raise SystemExit(f"the dependant was not counted: {done}")
        return Cost(spent, sent, waited * 1e3)

    def _work_us(self) -> float:
        return int(self._schedstat.read_text().split()[0]) / 1e3

    def _commands(self) -> int:
        return int(self.store.link.do("INFO", "stats")["total_commands_processed"])


def measure(many: int = MANY) -> dict[int, Cost]:
    """The medians for both sizes."""
    os.environ.setdefault("CRANE_TEST_SERVER", find_server().program)
    with Server() as small, Server() as large:
        sites = {FEW: Site(small, FEW), many: Site(large, many)}
        costs: dict[int, list[Cost]] = {size: [] for size in sites}
        for _ in range(ROUNDS):
            for size, site in sites.items():
                costs[size].append(site.cancel())
    return {
        size: Cost(*(statistics.median(column) for column in zip(*some, strict=True))) for size, some in costs.items()
    }


def figures() -> dict[str, float]:
    """Return what goes into the table of all numbers: microseconds of the server."""
    few, many = measure().values()
    return {"cancel_few_us": few.server_us, "cancel_many_us": many.server_us}


def main() -> None:
    """Print a line for each size."""
    for size, cost in measure(int(sys.argv[1]) if len(sys.argv) > 1 else MANY).items():
        work = f"{cost.server_us:,.0f} us of the server, {cost.commands:.0f} commands"
        print(f"{size:>7} others pending: {work}, {cost.waited_ms:.1f} ms for the caller (median of {ROUNDS})")


if __name__ == "__main__":
    main()
