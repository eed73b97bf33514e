"""Measure what the store costs: jobs a second through start + report in batches, and the server's time for each verb.

Run ``python -m bench.store_ops [batch] [jobs]``. The server is a real one with ``appendfsync always``.
"""

from __future__ import annotations

import sys
import time

from crane_celery.model.job import Allocation, JobSpec
from crane_celery.model.node import NodeSpec
from crane_celery.store.api import Began, Ended, Report, Start, Submission
from crane_celery.store.redis import RedisStore
from crane_celery.store.scripts import script, verbs
from tests.support.server import Server

_ALLOCATION = (Allocation(node="n1", cpus=1.0, memory=1 << 20),)


def run_jobs(store: RedisStore, fence: int, pairs: list[tuple[int, int]], batch: int) -> float:
    """Start and end these (submission, rank) in batches; jobs a second."""
    now = store.now()
    begin = time.perf_counter()
    for at in range(0, len(pairs), batch):
        part = pairs[at : at + batch]
        refused = [a for a in store.start(fence, [Start(job, rank, 1, _ALLOCATION) for job, rank in part]) if a]
        if refused:
            raise SystemExit(f"a start was refused: {refused[0]}")
        ids = [job + rank for job, rank in part]
        ended = [Ended(i, 1, "Completed", 0, now, now + 0.001) for i in ids]
        store.report("n1", 1, Report([Began(i, 1, now) for i in ids], ended))
    return len(pairs) / (time.perf_counter() - begin)


def server_times(store: RedisStore, jobs: int) -> list[str]:
    """Server time of each verb since the last reset, from its own counters."""
    stats = store.link.do("INFO", "commandstats")
    rows = [(name, stat["calls"], stat["usec"]) for name, stat in stats.items() if "eval" in name]
    return [
        f"{name}: {calls} calls, {usec / calls:.0f} us a call, {usec / jobs:.1f} us a job" for name, calls, usec in rows
    ]


def main() -> None:
    """Print the table."""
    batch, count = (int(arg) for arg in (*sys.argv[1:3], *("32", "20000")[len(sys.argv) - 1 :]))
    plain = JobSpec(name="bench", uid=1000, gid=1000, user="bench", command="true")
    array = JobSpec(name="bench", uid=1000, gid=1000, user="bench", command="true", array=f"0-{count - 1}")
    with Server() as server:
        store = RedisStore(server.url, "{bench}")
        store.register(NodeSpec(name="n1", cpus=64, memory=1 << 40), "host", "none", "1", "boot")
        fence = store.lead("bench", 3600)
        print(f"batches of {batch}, {count} jobs, {len(verbs())} verbs, longest script {_longest()} bytes")
        [base] = store.submit([Submission(array, count, b"")], [""])
        for name, pairs in (("array", [(base, rank) for rank in range(count)]), ("plain jobs", [])):
            if not pairs:
                begin = time.perf_counter()
                ids = store.submit([Submission(plain, 1, b"x" * 500)] * count, [""] * count)
                print(f"submit: {count / (time.perf_counter() - begin):.0f} jobs/s")
                pairs = [(id_, 0) for id_ in ids]
            store.link.do("CONFIG", "RESETSTAT")
            print(f"{name}: start + report {run_jobs(store, fence, pairs, batch):.0f} jobs/s")
            print(*(f"  {line}" for line in server_times(store, count)), sep="\n")
        begin = time.perf_counter()
        seen = 0
        after = "0"
        while events := store.events(after, 0, 1000):
            seen, after = seen + len(events), events[-1].seq
        print(f"events: {seen} read at {seen / (time.perf_counter() - begin):.0f}/s")


def _longest() -> int:
    return max(len(script(verb).source) for verb in verbs())


if __name__ == "__main__":
    main()
