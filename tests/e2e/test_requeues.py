"""Test what a requeue takes back: codes, counts, states, and verdicts; `requeue incomplete` in all its forms."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_control import until, wait_for_lines
from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: elements 2 and 3 fail until the file is there
HALF = "test $CRANE_ARRAY_TASK_ID -lt 2 || test -e {} || exit $CRANE_ARRAY_TASK_ID"


def test_a_requeue_takes_back_the_code_and_the_verdicts(crane: Cluster) -> None:
    """The failed elements complete in a second run: nothing says any more that they had failed."""
    mended = crane.work / "mended"
    job = crane.submit("--array=1-3", "-c", "0.5", "-o", "/dev/null", "--wrap", HALF.format(mended))
    after = crane.submit("-d", f"afterok:{job}", "-o", "/dev/null", "--wrap", "true")
    each = crane.submit("--array=1-3", "-d", f"aftercorr:{job}", "-c", "0.5", "-o", "/dev/null", "--wrap", "true")
    instead = crane.submit("-H", "-d", f"afternotok:{job}", "-o", "/dev/null", "--wrap", "true")
    crane.run("cwait", str(job), code=3)
    with watching(crane, "-j", f"{after},{each},{instead}", form="%i=%R") as lines:
        wait_for(lines, f"{after}=DependencyNeverSatisfied", f"{each}_[2-3]=DependencyNeverSatisfied")
    mended.touch()
    said = crane.run("ccontrol", "requeue", "incomplete", str(job)).stdout.splitlines()
    assert said[1:] == [f"Of {job}, 2 run again; 1 has completed: left as they are."]
    assert set(crane.wait(job, after, each).values()) == {0}
    assert ended(crane, after) == ["Completed"]
    assert ended(crane, each) == ["Completed"] * 3
    assert f"afternotok:{job}(failed)" in crane.run("ccontrol", "show", "job", str(instead)).stdout
    story = crane.run("ccontrol", "story", str(after)).stdout
    told = ["can never be met", f"waits again: job {job} was requeued", "its dependency is met"]
    assert [story.index(each) for each in told] == sorted(story.index(each) for each in told)
    counts = crane.run("cacct", "--array-summary", "-N", "-j", str(job), "-o", "%total %completed %failed").stdout
    assert counts.split() == ["3", "3", "0"]
    crane.run("ccancel", str(instead))


def ended(crane: Cluster, job: int) -> list[str]:
    """The states of the last runs of a job, or of its elements."""
    last: dict[tuple[str, str], str] = {}
    for row in crane.json("cacct", "-j", str(job))["job_info_list"]:  # newest first
        last.setdefault((row["job_id"], row.get("array_task_id", "")), row["status"])
    return list(last.values())


def test_what_was_cancelled_with_the_failures_runs_too(crane: Cluster) -> None:
    """--array-max-fails has cancelled the rest: all of it runs in the same array, and counts from nought."""
    mended, go = crane.work / "mended.2", crane.work / "go.2"
    script = f"test $CRANE_ARRAY_TASK_ID = 9 && {{ {until(go)}; exit; }}; test -e {mended} || exit 7"
    job = crane.submit("--array=0-9%1", "--array-max-fails", "2", "-o", "/dev/null", "--wrap", script)
    crane.run("cwait", str(job), code=64 + 128)
    mended.touch()
    said = crane.run("ccontrol", "requeue", "incomplete", f"{job}_[0-4,9]").stdout.splitlines()
    assert said[1:] == [f"Of {job}_[0-4,9], 6 run again (4 of them had never started)."]
    wait_for_lines(Path(f"{go}.runs"), 1)
    said = crane.run("ccontrol", "requeue", "incomplete", str(job)).stdout.splitlines()
    assert said[1:] == [
        f"Of {job}, 4 run again (4 of them had never started); 5 have completed, 1 is at work: left as they are."
    ]
    refused = crane.run("ccontrol", "requeue", "incomplete", f"{job}_[0-4,9]", code=4).stderr
    assert "nothing of it has ended without completing: 5 have completed, 1 is at work." in refused
    said = crane.run("ccontrol", "requeue", "incomplete", f"{job}_9", "--running").stdout.splitlines()
    assert said[1:] == [f"Of {job}_9, 1 at work are stopped and run again."]
    wait_for_lines(Path(f"{go}.runs"), 2)
    go.touch()
    assert set(crane.wait(job).values()) == {0}
    assert set(ended(crane, job)) == {"Completed"}
    runs = crane.run("cacct", "-N", "-j", f"{job}_0", "-o", "%j %t").stdout
    assert "Failed" in runs and "Completed" in runs, "the history knows every run"


def test_a_wait_goes_on_where_a_job_is_requeued_meanwhile(crane: Cluster) -> None:
    """cwait of two jobs of which the first fails, is requeued and completes before the second ends."""
    mended, go = crane.work / "mended.3", crane.work / "go.3"
    first = crane.submit("-o", "/dev/null", "--wrap", f"test -e {mended} || exit 5; {until(go)}")
    second = crane.submit("-o", "/dev/null", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 1)
    argv = [sys.executable, "-m", "cli.cwait", "-q", str(first), str(second)]
    waiting = subprocess.Popen(argv, env=crane.env, cwd=crane.work)
    crane.run("cwait", str(first), code=5)
    mended.touch()
    crane.run("ccontrol", "requeue", str(first))
    wait_for_lines(Path(f"{go}.runs"), 2)
    go.touch()
    assert waiting.wait(60) == 0


def test_who_is_cancelled_in_vain_runs_when_it_is_requeued_itself(crane: Cluster) -> None:
    """A requeue of the dependee does not revive what was cancelled for it; a requeue of that one judges it anew."""
    mended = crane.work / "mended.4"
    first = crane.submit("-o", "/dev/null", "--wrap", f"test -e {mended} || exit 5")
    then = crane.submit("-d", f"afterok:{first}", "-o", "/dev/null", "--wrap", "true")
    crane.run("cwait", str(first), code=5)
    crane.run("ccancel", str(then))
    mended.touch()
    crane.run("ccontrol", "requeue", str(then))
    with watching(crane, "-j", str(then), form="%i=%R") as lines:
        wait_for(lines, f"{then}=DependencyNeverSatisfied")
    crane.run("ccontrol", "requeue", str(first))
    assert crane.wait(first, then) == {first: 0, then: 0}


def test_other_resources_than_before(crane: Cluster) -> None:
    """`ccontrol requeue` and `cbatch --array-retry` with more memory and time: what had too little completes."""
    script = "test ${CRANE_MEM_PER_NODE%M} -ge 200 || exit 1"
    job = crane.submit("--array=1-2", "--mem", "100M", "-t", "10", "-o", "/dev/null", "--wrap", script)
    crane.run("cwait", str(job), code=1)
    refused = crane.run("ccontrol", "requeue", str(job), "mem=900T", code=4).stderr
    assert "were asked for" in refused and "Failed" in crane.run("ccontrol", "show", "job", str(job)).stdout
    retry = ("cbatch", "--array-retry", str(job), "--mem", "200M", "-t", "2:00:00", "--parsable")
    other = int(crane.run(*retry).stdout)
    assert crane.wait(other) == {other: 0}
    assert "TimeLimit=02:00:00" in crane.run("ccontrol", "show", "job", str(other)).stdout
    crane.run("ccontrol", "requeue", f"{job}_2", "mem=200M", "timelimit=2:00:00")
    assert crane.wait(job + 1) == {job + 1: 0}
    crane.run("cwait", str(job), code=1)
    crane.run("ccontrol", "requeue", "incomplete", str(job), "mem=200M")
    assert crane.wait(job) == {job: 0}
