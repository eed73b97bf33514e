"""Worker, scheduler, recorder and server killed at seeded moments while a large array runs: each element ran once."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter

import pytest

from tests.faults.campaign import kill
from tests.support.cluster import Cluster, cluster

pytestmark = pytest.mark.faults
SEED = int(os.environ.get("CRANE_SEED", "20261127"))
COUNT = int(os.environ.get("CRANE_ELEMENTS", "10000"))
#: of each role; then the rest of the array runs undisturbed
KILLS = int(os.environ.get("CRANE_KILLS", "5"))
ROLES = ("node", "scheduler", "recorder", "server")
#: one file for each process that may write at once: an append of a few bytes is whole
SCRIPT = """#!/bin/sh
echo "$CRANE_ARRAY_TASK_ID" >> "$1/$((CRANE_ARRAY_TASK_ID % 64))"
exit $((CRANE_ARRAY_TASK_ID % 3 == 2))
"""


def kill_until(lab: Cluster, over: threading.Event, rng: random.Random) -> Counter[str]:
    """Kill one role after another, each at a moment of its own, and wait for the end; how often each died."""
    killed: Counter[str] = Counter()
    while killed.total() < KILLS * len(ROLES) and not over.wait(rng.uniform(0.5, 3.0)):
        role = min(ROLES, key=lambda each: (killed[each], rng.random()))
        killed[role] += kill(lab, role, rng)
    over.wait()
    return killed


def follow(lab: Cluster, job: int, over: threading.Event, codes: dict[int, int]) -> None:
    """Wait for the job, whatever dies meanwhile."""
    try:
        codes |= lab.wait(job)
    finally:
        over.set()


@pytest.mark.timeout(600)
def test_each_element_of_a_large_array_runs_once() -> None:
    """Told from what the elements wrote down themselves, and from the history."""
    rng = random.Random(SEED)
    print(f"seed {SEED}, {COUNT} elements")
    with cluster(nodes=2) as lab:
        witness = lab.work / "witness"
        witness.mkdir()
        script = lab.work / "once.sh"
        script.write_text(SCRIPT)
        job = lab.submit(
            "-o", "/dev/null", "-c", "0.25", "--mem", "16M", f"--array=0-{COUNT - 1}", str(script), str(witness)
        )
        over, codes = threading.Event(), dict[int, int]()
        waiter = threading.Thread(target=follow, args=(lab, job, over, codes))
        waiter.start()
        killed = kill_until(lab, over, rng)
        waiter.join()
        print(f"killed {dict(killed)}")
        assert codes == {job: 1} and all(killed[role] for role in ROLES)
        ran = Counter(int(line) for path in witness.iterdir() for line in path.read_text().split())
        assert ran == Counter(range(COUNT)), (
            f"not once: {(ran - Counter(range(COUNT))) + (Counter(range(COUNT)) - ran)}"
        )
        states = Counter(states_of(lab, job))
        assert states == {"Completed": COUNT - COUNT // 3, "Failed": COUNT // 3}


def states_of(lab: Cluster, job: int) -> list[str]:
    """The state of every element, as the history has it."""
    rows = lab.json("cacct", "-j", str(job), "-m", str(COUNT * 2))["job_info_list"]
    assert len({row["array_task"]["task_id"] for row in rows}) == len(rows) == COUNT
    return [row["status"] for row in rows]
