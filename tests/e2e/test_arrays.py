"""Arrays on a real cluster: how they are listed, throttled, cancelled, and what their elements know."""

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def listed(crane: Cluster, job: int, *args: str) -> list[str]:
    """The ids that cqueue shows of a job."""
    return crane.run("cqueue", "-N", "-j", str(job), "-o", "%j", *args).stdout.split()


def test_folding_and_cancelling_ranges(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=1-9%2", "--wrap", "true")
    assert listed(crane, job) == [f"{job}_[1-9%2]"]
    assert listed(crane, job, "-r") == [f"{job}_{index}" for index in range(1, 10)]
    said = crane.run("ccancel", f"{job}_[3-4,9]").stdout
    assert said == f"Job {job}_[3-4,9] cancelled successfully.\n"
    assert listed(crane, job) == [f"{job}_[1-2,5-8%2]"]
    crane.run("ccancel", f"{job}_5")
    assert listed(crane, job) == [f"{job}_[1-2,6-8%2]"]
    said = crane.run("ccancel", f"{job}_77", code=4).stderr
    assert said.startswith(f"Failed to cancel job: {job}_77. Reason: ")
    crane.run("ccontrol", "release", str(job))
    crane.wait(job)
    rows = crane.json("cacct", "-j", str(job))["job_info_list"]
    assert sorted((row["jobid"], row["status"]) for row in rows) == [
        (f"{job}_{index}", "Completed" if index in (1, 2, 6, 7, 8) else "Cancelled") for index in range(1, 10)
    ]


def test_hold_and_release_of_elements(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=0-3", "-o", "held-%a", "--wrap", "true")
    crane.run("ccontrol", "release", f"{job}_2")
    assert crane.wait(job + 2) == {job + 2: 0}
    assert listed(crane, job) == [f"{job}_[0-1,3]"]
    assert [path.name for path in crane.work.glob("held-*")] == ["held-2"]
    crane.run("ccancel", str(job))


def test_environment_and_patterns(crane: Cluster) -> None:
    show = "echo $CRANE_JOB_ID $CRANE_ARRAY_JOB_ID $CRANE_ARRAY_TASK_ID $CRANE_ARRAY_TASK_MIN"
    show += " $CRANE_ARRAY_TASK_MAX $CRANE_ARRAY_TASK_COUNT"
    job = crane.submit("--array=1-7:3", "-J", "ar", "-o", "%x-%A-%3a-%j-%u.txt", "--wrap", show)
    crane.wait(job)
    for rank, index in enumerate((1, 4, 7)):
        file = crane.work / f"ar-{job}-{index:03}-{job + rank}-root.txt"
        assert file.read_text() == f"{job + rank} {job} {index} 1 7 3\n"
    job = crane.submit("--array=2,5", "--wrap", "true")
    crane.wait(job)
    assert {path.name for path in crane.work.glob(f"Crane-{job}_*")} == {f"Crane-{job}_2.out", f"Crane-{job}_5.out"}


def test_the_throttle_is_exact(crane: Cluster) -> None:
    """Each element counts who is there with it: never more than three, and three at some moment."""
    script = (
        "mkdir -p here && touch here/$CRANE_ARRAY_TASK_ID && ls here | wc -l >> counts\n"
        "sleep 0.1; ls here | wc -l >> counts; rm here/$CRANE_ARRAY_TASK_ID"
    )
    job = crane.submit("--array=0-20%3", "-c", "0.25", "-o", "/dev/null", "--wrap", script)
    crane.wait(job)
    counts = [int(word) for word in (crane.work / "counts").read_text().split()]
    assert len(counts) == 42 and max(counts) == 3


def test_the_worst_end_is_the_arrays(crane: Cluster) -> None:
    job = crane.submit("--array=0-4", "--wrap", "exit $CRANE_ARRAY_TASK_ID")
    assert crane.wait(job) == {job: 4}
    done = crane.run("cbatch", "--wait", "--array=0-4", "--wrap", "exit $CRANE_ARRAY_TASK_ID", code=None)
    assert done.returncode == 4


def test_a_running_element_is_cancelled_alone(crane: Cluster) -> None:
    script = "[ $CRANE_ARRAY_TASK_ID = 1 ] && exec sleep 600; true"
    job = crane.submit("--array=0-2", "--wrap", script)
    other = crane.submit("-d", f"after:{job}_1", "--wrap", "true")
    crane.wait(other)
    crane.run("ccancel", f"{job}_1")
    assert crane.wait(job + 1) == {job + 1: 320}


def test_a_million_elements_are_one_record(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=0-999999", "--wrap", "true")
    assert listed(crane, job) == [f"{job}_[0-999999]"]
    assert crane.run("ccancel", str(job)).stdout == f"Job {job} cancelled successfully.\n"
    assert crane.submit("--wrap", "true") == job + 1_000_000
