"""Controlling jobs on a real cluster, by the commands people type (../shared/cases HLD, REQ, ARR-12, 13, 15, 17)."""

import re
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from crane_celery.grammar.duration import format_duration
from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def until(file: Path) -> str:
    """A script that leaves a line for each run in ``<file>.runs``, and ends when the file is there."""
    return f"echo run ${{CRANE_RESTART_COUNT:-0}} >> {file}.runs; until test -e {file}; do sleep 0.05; done"


def shown(crane: Cluster, job: object) -> str:
    """``ccontrol show job``."""
    return crane.run("ccontrol", "show", "job", str(job)).stdout


def priorities(crane: Cluster, job: int) -> dict[str, float]:
    """Element -> priority."""
    lines = crane.run("cqueue", "-N", "-r", "-j", str(job), "-o", "%j %p").stdout.splitlines()
    return {name.rpartition("_")[2]: float(number) for name, number in (line.split() for line in lines)}


def test_hold_and_release(crane: Cluster) -> None:
    """HLD-01."""
    job = crane.submit("--hold", "--wrap", "true")
    assert "JobState=Pending Reason=Held" in shown(crane, job) and "Priority=0 " in shown(crane, job)
    crane.run("ccontrol", "release", str(job))
    assert crane.wait(job) == {job: 0}
    said = crane.run("ccontrol", "hold", str(job), code=4).stderr
    assert said == f"Failed to modify job: {job}. Reason: Job was not found in pending queue.\n"


def test_a_timed_hold_releases_itself(crane: Cluster) -> None:
    job = crane.submit("--begin", "now+1hour", "--wrap", "true")
    crane.run("ccontrol", "hold", str(job), "timelimit=1s")
    crane.run("ccontrol", "update", f"jobid={job}", "starttime=now")
    assert "Reason=Held" in shown(crane, job)
    assert crane.wait(job) == {job: 0}


def test_hold_and_release_of_elements(crane: Cluster) -> None:
    """ARR-13."""
    job = crane.submit("--begin=now+1hour", "--array=0-3", "--wrap", "true")
    steps = (("hold", "", set()), ("release", "_2", {"2"}), ("release", "", {"0", "1", "2", "3"}))
    for action, part, free in (*steps, ("hold", "_2", {"0", "1", "3"}), ("release", "_2", {"0", "1", "2", "3"})):
        crane.run("ccontrol", action, f"{job}{part}")
        assert {name for name, number in priorities(crane, job).items() if number > 0} == free
    crane.run("ccancel", str(job))


def test_changed_elements_and_the_others(crane: Cluster) -> None:
    """ARR-12."""
    job = crane.submit("-t1", "--begin=now+1hour", "--array=0-3", "--wrap", "true")
    crane.run("ccontrol", "update", f"jobid={job}_2", "TimeLimit=2")
    record = shown(crane, f"{job}_2")
    assert "TimeLimit=00:02:00" in record
    found = re.search(r"JobId=(\d+)", record)
    assert found
    crane.run("ccontrol", "update", f"jobid={found[1]}", "TimeLimit=4")
    assert "TimeLimit=00:04:00" in shown(crane, f"{job}_2") and "TimeLimit=00:01:00" in shown(crane, f"{job}_1")
    assert "TimeLimit=00:04:00" in shown(crane, job + 2)
    crane.run("ccancel", str(job))


def test_a_throttle_that_is_raised(crane: Cluster) -> None:
    """ARR-15."""
    go = crane.work / "throttled"
    job = crane.submit("--array=0-3%1", "--wrap", until(go))
    most = 0
    with watching(crane, "-j", str(job), form="%i=%t") as lines:
        for allowed in (1, 2, 3, 4):
            crane.run("ccontrol", "update", f"jobid={job}", f"ArrayTaskThrottle={allowed}")
            wait_for(lines, f"{job}_{allowed - 1}=Running")
            running = [
                row for row in crane.json("cqueue", "-j", str(job))["job_info_list"] if row["status"] == "Running"
            ]
            assert len(running) == allowed
            most = max(most, len(running))
    assert most == 4
    go.touch()
    assert set(crane.wait(job).values()) == {0}


def test_requeues(crane: Cluster) -> None:
    """REQ-02."""
    go, kept = crane.work / "requeued", crane.work / "kept"
    job, stays = crane.submit("--wrap", until(go)), crane.submit("--no-requeue", "--wrap", until(kept))
    runs = Path(f"{go}.runs")
    for number in (1, 2):
        wait_for_lines(runs, number)
        assert crane.run("ccontrol", "requeue", str(job)).stdout == f"Job {job} requeued successfully.\n"
    wait_for_lines(runs, 3)
    said = crane.run("ccontrol", "requeue", str(stays), code=4).stderr
    assert said == f"Failed to requeue job: {stays}. Reason: Job requested no requeue.\n"
    go.touch()
    kept.touch()
    assert crane.wait(job, stays) == {job: 0, stays: 0}
    assert runs.read_text() == "run 0\nrun 1\nrun 2\n" and Path(f"{kept}.runs").read_text() == "run 0\n"
    crane.run("ccontrol", "requeue", "99999", code=4)


def wait_for_lines(file: Path, number: int) -> None:
    """Until a file has so many lines."""
    script = f"until test $(wc -l < {file} 2>/dev/null || echo 0) -ge {number}; do sleep 0.05; done"
    subprocess.run(["sh", "-c", script], check=True, timeout=60, stderr=subprocess.DEVNULL)


def test_requeue_of_what_is_incomplete(crane: Cluster) -> None:
    """ARR-17."""
    go, two = crane.work / "incomplete", crane.work / "incomplete.2"
    script = f"test $CRANE_ARRAY_TASK_ID = 2 && exec touch {two}; {until(go)}"
    job = crane.submit("--requeue", "--array=1-4", "--wrap", script)
    crane.wait(job + 1)
    wait_for_lines(Path(f"{go}.runs"), 3)
    crane.run("ccontrol", "requeuehold", f"{job}_1,{job}_[3-4]")
    with watching(crane, "-j", str(job), form="%i=%t") as lines:
        wait_for(lines, f"{job}_[1,3-4]=Pending")
    two.unlink()
    crane.run("ccontrol", "release", str(job))
    wait_for_lines(Path(f"{go}.runs"), 6)
    crane.run("ccontrol", "requeue", "incomplete", "--running", str(job))
    wait_for_lines(Path(f"{go}.runs"), 9)
    go.touch()
    assert set(crane.wait(job).values()) == {0}
    assert not two.exists(), "element 2 ran again"


def test_a_job_that_fails_at_first(crane: Cluster) -> None:
    """--requeue follows a failure by another run; what fails for ever is held in the end."""
    script = "test ${CRANE_RESTART_COUNT:-0} -ge 2"
    job = crane.submit("--requeue", "--wrap", script)
    assert crane.wait(job) == {job: 0} and "Restarts=2" in shown(crane, job)
    bad = crane.submit("--requeue", "--wrap", "exit 3")
    with watching(crane, "-j", str(bad), form="%i=%R") as lines:
        wait_for(lines, f"{bad}=JobHoldMaxRequeue")
    crane.run("ccancel", str(bad))


def test_suspend_and_resume(crane: Cluster) -> None:
    go = crane.work / "suspended"
    job = crane.submit("--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 1)
    with watching(crane, "-j", str(job), form="%i=%t") as lines:
        wait_for(lines, f"{job}=Running")
        crane.run("ccontrol", "suspend", str(job))
        wait_for(lines, f"{job}=Suspended")
        go.touch()
        crane.run("ccontrol", "resume", str(job))
    assert crane.wait(job) == {job: 0}
    said = crane.run("ccontrol", "suspend", str(job), code=4).stderr
    assert said == f"Failed to modify job: {job}. Reason: Job is not running.\n"


def figures(crane: Cluster, job: str) -> set[str]:
    """The elapsed time of one job or element as each command shows it."""
    found = re.search(r"RunTime=(\S+)", shown(crane, job))
    told = crane.run("ceff", job).stdout
    wall = re.search(r"Job Wall-clock time: (\S+)", told)
    queue = crane.run("cqueue", "-N", "-t", "all", "-j", job, "-o", "%e").stdout
    past = crane.run("cacct", "-N", "-j", job, "-o", "%D").stdout.split()
    [info] = [each for each in crane.json("cacct", "-j", job)["job_info_list"] if each["jobid"] == job]
    assert found and wall and len(set(past)) == 1, told
    return {found[1], wall[1], queue.strip(), past[0], format_duration(int(info["elapsed_time"].rstrip("s")))}


def test_the_time_of_a_suspension_is_shown_by_nobody(crane: Cluster) -> None:
    """Elapsed excludes it, as in Slurm: one figure while it is suspended, and when it has ended, also of elements."""
    go = crane.work / "paused"
    job = crane.submit("--array=0-1", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 2)
    with watching(crane, "-j", str(job), "-r", form="%i=%t") as lines:
        crane.run("ccontrol", "suspend", f"{job}_1")
        wait_for(lines, f"{job}_1=Suspended")
    assert crane.wait(crane.submit("--wrap", "sleep 4")).popitem()[1] == 0  # meanwhile
    while_suspended = figures(crane, f"{job}_1")
    assert len(while_suspended) == 1 and "SuspendedTime=00:00:0" in shown(crane, f"{job}_1")
    go.touch()
    crane.run("ccontrol", "resume", f"{job}_1")
    assert crane.wait(job) == {job: 0}
    ended, other = figures(crane, f"{job}_1"), figures(crane, f"{job}_0")
    assert len(ended) == 1 and len(other) == 1
    [info] = crane.json("cacct", "-j", f"{job}_1")["job_info_list"]
    began, over = (datetime.fromisoformat(info[key]).timestamp() for key in ("start_time", "end_time"))
    ran, suspended = (int(info[key].rstrip("s")) for key in ("elapsed_time", "suspended_time"))
    assert suspended >= 4 and 0 <= over - began - ran - suspended < 2


def test_limits_that_are_changed_while_it_runs(crane: Cluster) -> None:
    go = crane.work / "limited"
    job = crane.submit("-t", "1:00:00", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 1)
    crane.run("ccontrol", "update", f"jobid={job}", "timelimit=1s")
    assert crane.wait(job) == {job: 325}
    late = crane.submit("--hold", "--deadline", "now+1s", "--wrap", "true")
    assert crane.wait(late) == {late: 330}
    assert "JobState=Deadline" in shown(crane, late)


def test_what_is_refused_changes_nothing(crane: Cluster) -> None:
    job = crane.submit("--hold", "--wrap", "true")
    before = shown(crane, job)
    said = crane.run("ccontrol", "update", f"jobid={job}", "comment=x", "timelimit=soon", code=4).stderr
    assert said.startswith(f"Failed to modify job: {job}. Reason: timelimit=soon: bad time span")
    assert shown(crane, job) == before
    crane.run("ccancel", str(job))


def test_nodes_are_drained_and_resumed(crane: Cluster) -> None:
    crane.run("ccontrol", "update", "nodename=n1", "state=drain", code=2)
    crane.run("ccontrol", "update", "nodename=n[1-2]", "state=drain", "reason=new disks")
    go = crane.work / "drained"
    go.touch()
    job = crane.submit("--wrap", until(go))
    assert "new disks" in crane.run("cinfo", "-R").stdout
    crane.run("ccontrol", "update", "nodename=n1", "state=resume")
    crane.wait(job)
    assert "NodeList=n1" in shown(crane, job)
    crane.run("ccontrol", "update", "nodename=n2", "state=down", "reason=broken")
    assert "State=down" in crane.run("ccontrol", "show", "node", "n2").stdout
    crane.run("ccontrol", "update", "nodename=n2", "state=resume")


def test_an_array_that_fails_too_often_stops(crane: Cluster) -> None:
    job = crane.submit("--array=1-20%1", "--array-max-fails=2", "--wrap", "exit 3")
    crane.wait(job)
    counts = crane.run("cacct", "--array-summary", "-N", "-j", str(job), "-o", "%total %failed %cancelled").stdout
    assert counts.split() == ["20", "2", "18"]


def test_top(crane: Cluster) -> None:
    first, second = (crane.submit("--begin", "now+1hour", "--wrap", "true") for _ in range(2))
    crane.run("ccontrol", "top", str(second))
    order = crane.run("cqueue", "-N", "-t", "pending", "-j", f"{first},{second}", "-o", "%j").stdout.split()
    assert order == [str(second), str(first)]
    crane.run("ccancel", str(first), str(second))
