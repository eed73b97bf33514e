"""Kill things at seeded moments under load, then compare what is told with what the jobs themselves wrote down.

Each element appends to a witness file of its own when it starts and when it ends, so "exactly once" is judged by what
really ran. The victim and the moment come from a seed, which a failing test prints.
"""

import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from crane_celery.model.states import STATUS_LOST
from crane_celery.supervisor.processes import Record, send, wait_gone
from tests.support.cluster import PATIENCE_S, Cluster

#: stored exit codes of an array's elements repeat with this period
PERIOD = 5
SCRIPT = f"""#!/bin/sh
# writes its own history; the node must neither lose nor repeat it
echo "start $CRANE_JOB_ID $$" >> "$1/$CRANE_ARRAY_JOB_ID.$CRANE_ARRAY_TASK_ID"
sleep "$2"
echo "end $CRANE_JOB_ID $$" >> "$1/$CRANE_ARRAY_JOB_ID.$CRANE_ARRAY_TASK_ID"
exit $((CRANE_ARRAY_TASK_ID % {PERIOD}))
"""


class Load(NamedTuple):
    """One array under way: its id, how many elements, where its witnesses are."""

    job: int
    count: int
    witness: Path


def start(cluster: Cluster, count: int, seconds: str) -> Load:
    """Submit an array of elements that take ``seconds`` each."""
    witness = cluster.work / "witness"
    witness.mkdir(exist_ok=True)
    script = cluster.work / "witness.sh"
    script.write_text(SCRIPT)
    job = cluster.submit("-o", "/dev/null", f"--array=0-{count - 1}", str(script), str(witness), seconds)
    return Load(job, count, witness)


def processes(cluster: Cluster, role: str) -> list[Record]:
    """The processes of a role: a name of the supervisor's, ``node`` for any worker, ``shepherd`` or ``spawner``."""
    found = cluster.pids()
    if role in ("shepherd", "spawner"):
        return [each for each in found.values() if called(each) == f"crane-{role}"]
    return [each for name, each in found.items() if name.partition(".")[0].rstrip("0123456789") == role]


def called(process: Record) -> str:
    """The name that ps shows for it; "" once it has gone."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def kill(cluster: Cluster, role: str, rng: random.Random) -> bool:
    """SIGKILL one process of the role; False when there is none at the moment (it is being restarted)."""
    found = processes(cluster, role)
    if not found:
        return False
    victim = rng.choice(found)
    send(victim, signal.SIGKILL)
    assert not wait_gone([victim], PATIENCE_S)
    return True


def campaign(cluster: Cluster, role: str, kills: int, rng: random.Random) -> int:
    """Kill a role ``kills`` times at random moments; how many were really killed."""
    moment = threading.Event()  # never set: the wait is the random moment itself, not a wait for something
    done = 0
    for _ in range(kills * 10):
        moment.wait(rng.uniform(0.02, 0.7))
        done += kill(cluster, role, rng)
        if done == kills:
            break
    return done


def verify(cluster: Cluster, load: Load, may_be_lost: bool) -> Counter[str]:
    """Every element ended once, ran once, and its true exit code is told; the states found, counted.

    ``may_be_lost``: a shepherd or spawner was a victim, so "status lost" is a truthful answer, provided that the
    element had been started at most once.
    """
    rows = cluster.json("cacct", "-j", str(load.job), "-m", str(load.count * 4))["job_info_list"]
    ended = {int(row["array_task"]["task_id"]): row for row in rows}
    assert len(rows) == len(ended) == load.count, f"{len(rows)} rows for {load.count} elements"
    for index, row in ended.items():
        if row["exit_code"] == STATUS_LOST:
            assert may_be_lost, f"element {index}: status lost, though its shepherd and spawner lived"
            continue
        assert row["exit_code"] == index % PERIOD, f"element {index}: told {row['exit_code']}, was {index % PERIOD}"
        lines = (load.witness / f"{load.job}.{index}").read_text().splitlines()
        assert [line.partition(" ")[0] for line in lines] == ["start", "end"], f"element {index}: {lines}"
    for path in load.witness.glob(f"{load.job}.*"):
        assert path.read_text().count("start") == 1, f"{path.name} was started more than once"
    return Counter(row["status"] for row in ended.values())
