"""One function for each row of the table of numbers: takes a cluster, returns figures (unit in the name)."""

import json
import os
import pathlib
import statistics
import time
from datetime import datetime

from bench import history as long_history
from bench.cluster import BIN, Cluster
from crane_celery.history.engine import Database

TRIVIAL = "#!/bin/sh\nexit 0\n"


def bare_python(rounds: int = 20) -> float:
    """Seconds of one start of bare Python: the S of the table."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        pid = os.posix_spawn(BIN / "python", [str(BIN / "python"), "-c", "pass"], os.environ)
        os.waitpid(pid, 0)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def array(cluster: Cluster, count: int = 1000, rounds: int = 3) -> dict[str, float]:
    """An array of trivial jobs, from submission to the end of the last (``cbatch --wait``)."""
    script = cluster.script("trivial.sh", TRIVIAL)
    arguments = ("cbatch", "-o", "/dev/null", f"--array=0-{count - 1}", "--wait", script)
    cluster.run("cbatch", "-o", "/dev/null", "--array=0-63", "--wait", script)
    best = min(cluster.seconds(*arguments) for _ in range(rounds))
    return {"jobs_per_s": count / best}


def chain(cluster: Cluster, length: int = 31) -> dict[str, float]:
    """A chain of afterok jobs, held until all are there: milliseconds a link."""
    script = cluster.script("trivial.sh", TRIVIAL)
    first = job = cluster.run("cbatch", "--parsable", "--hold", "-o", "/dev/null", script).strip()
    for _ in range(length - 2):
        job = cluster.run("cbatch", "--parsable", "-o", "/dev/null", "-d", f"afterok:{job}", script).strip()
    start = time.perf_counter()
    cluster.run("ccontrol", "release", first)
    cluster.run("cbatch", "--wait", "-o", "/dev/null", "-d", f"afterok:{job}", script)
    return {"ms_per_link": (time.perf_counter() - start) / (length - 1) * 1e3}


def latency(cluster: Cluster, rounds: int = 100) -> dict[str, float]:
    """Submit to start on an idle cluster: from the moment the id is durable to the first line of the script."""
    out = cluster.work / "started"
    script = cluster.script("stamp.sh", f"#!/bin/bash\necho $EPOCHREALTIME >> {out}\n")
    out.unlink(missing_ok=True)
    for _ in range(rounds):
        cluster.run("cbatch", "--wait", "-J", "latency", "-o", "/dev/null", script)
    jobs = json.loads(cluster.run("cacct", "--json", "-n", "latency"))["job_info_list"]
    submitted = sorted(datetime.fromisoformat(job["submit_time"]).timestamp() for job in jobs)
    started = [float(line) for line in out.read_text().split()]
    waits = sorted((b - a) * 1e3 for a, b in zip(submitted, started, strict=True))
    return {"p50_ms": waits[len(waits) // 2], "p99_ms": waits[int(len(waits) * 0.99)]}


def steps(cluster: Cluster, sequential: int = 50, parallel: int = 100) -> dict[str, float]:
    """Steps inside one allocation, each by its own command. Raises RuntimeError where the user cannot run crun there:
    the Python of the installed project must not lie in a directory that only root may enter."""
    times = cluster.work / "steps.times"
    body = (
        "#!/bin/bash\n"
        "crun true || exit 1\n"
        f"a=$EPOCHREALTIME; for i in $(seq {sequential}); do crun true; done; b=$EPOCHREALTIME\n"
        f"for i in $(seq {parallel}); do crun -c 0.1 true & done; wait; c=$EPOCHREALTIME\n"
        f"echo $a $b $c > {times}\n"
    )
    cluster.run("cbatch", "--wait", "-o", "/dev/null", "-c", "16", cluster.script("steps.sh", body))
    a, b, c = map(float, times.read_text().split())
    return {"ms_per_step": (b - a) / sequential * 1e3, "parallel_per_s": parallel / (c - b)}


def commands(cluster: Cluster, rounds: int = 15) -> dict[str, float]:
    """Milliseconds of ``--help``, of submitting one job, of submitting a million elements (held, then cancelled)."""
    script = cluster.script("trivial.sh", TRIVIAL)
    cases = {
        "help_ms": ("cbatch", "--help"),
        "submit_ms": ("cbatch", "--hold", script),
        "submit_million_ms": ("cbatch", "--hold", "--array=0-999999", script),
    }
    found = {}
    for name, arguments in cases.items():
        found[name] = statistics.median(cluster.seconds(*arguments) for _ in range(rounds)) * 1e3
    cluster.run("ccancel", "-t", "PENDING", check=False)
    return found


def queue(cluster: Cluster, rounds: int = 5) -> dict[str, float]:
    """List and cancel 110,000 pending jobs (an array of 100,000 and 10,000 distinct ones), milliseconds.

    Listings are medians; ``list_first_ms`` is the first one after the submissions, which has to read them.
    """
    script = cluster.script("trivial.sh", TRIVIAL)
    cluster.run("cbatch", "--hold", "--array=0-99999", script)
    figures = bulk_submit(cluster, 10_000)
    folded, expanded = ("cqueue", "-m", "200000"), ("cqueue", "-r", "-m", "200000")
    figures["list_first_ms"] = cluster.seconds(*folded) * 1e3
    for name, command in (("list_folded_ms", folded), ("list_expanded_ms", expanded)):
        figures[name] = statistics.median(cluster.seconds(*command) for _ in range(rounds)) * 1e3
    figures["cancel_all_ms"] = cluster.seconds("ccancel", "-t", "PENDING") * 1e3
    return figures


def bulk_submit(cluster: Cluster, count: int) -> dict[str, float]:
    """Distinct held jobs through the Python API in one call: jobs a second, durable."""
    code = (
        "import time\n"
        "from crane_celery.api import Cluster, Task\n"
        "script, common = '#!/bin/sh\\nexit 0\\n', {'hold': True, 'output': '/dev/null'}\n"
        f"jobs = [Task(script=script, options={{**common, 'job_name': f'j{{i}}'}}) for i in range({count})]\n"
        "start = time.perf_counter()\n"
        "Cluster().submit_many(jobs)\n"
        "print(time.perf_counter() - start)\n"
    )
    path = cluster.script("bulk.py", code)
    return {"bulk_submit_per_s": count / float(cluster.run("python", path).strip())}


def history(cluster: Cluster, rounds: int = 5) -> dict[str, float]:
    """``cacct`` by user and time over a million ended jobs, which are put into the cluster's history: milliseconds.

    The worse of two users: one with a hundredth of them in a day, one with half of them over all days.
    """
    database = Database(f"sqlite:///{cluster.home}/history.db")
    long_history.fill(database)
    database.close()
    day, later = (f"{datetime.fromtimestamp(at):%Y-%m-%dT%H:%M:%S}" for at in long_history.one_day())
    few, most = long_history.USER_OF_FEW, long_history.USER_OF_MOST
    found = {"history_day_ms": ("-u", few, "-E", f"{day}~{later}"), "history_all_ms": ("-u", most, "-E", f"{day}~")}
    return {
        name: statistics.median(cluster.seconds("cacct", *words) for _ in range(rounds)) * 1e3
        for name, words in found.items()
    }


def idle(cluster: Cluster, seconds: float = 20.0) -> dict[str, float]:
    """CPU of all processes of the idle cluster, percent of a core."""
    time.sleep(5.0)  # what the rows before have left behind is being filed
    before = _cpu(cluster.pids())
    time.sleep(seconds)
    return {"idle_percent": (_cpu(cluster.pids()) - before) / seconds * 100}


def _cpu(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
