"""The array cases of ../shared/cases and their neighbours on a real cluster: ranges, requeues, limits, retries."""

import itertools
import re
from pathlib import Path

import pytest

from tests.e2e.test_array_document import field, listed
from tests.e2e.test_control import until, wait_for_lines
from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

_NAMES = ("JOB_ID", "TASK_ID", "TASK_COUNT", "TASK_MIN", "TASK_MAX", "TASK_STEP")


def running(crane: Cluster, job: int, *indexes: int, form: str = "{}_{}=Running") -> None:
    """Wait until these elements run."""
    with watching(crane, "-j", str(job)) as lines:
        wait_for(lines, *(form.format(job, index) for index in indexes))


def states(crane: Cluster, job: object) -> dict[str, str]:
    """Index -> state of every element, ended ones too."""
    lines = listed(crane, job, "%K=%t", "-r", "-t", "all", "-m", "2000")
    return dict(line.split("=") for line in lines)


def test_outputs_errors_and_variables(crane: Cluster) -> None:
    """ARR-01, ARR-02."""
    (crane.work / "d").mkdir()
    show = "".join(f"echo ${{CRANE_ARRAY_{name}}}\n" for name in _NAMES)
    script = f"#!/bin/sh\n{show}ls /no/such/file\n"
    plain = crane.submit("--array=0-3", stdin=script)
    named = crane.submit("--array=0-3", "-o", "d/%A_%a.output", "-e", "d/%A_%a.error", stdin=script)
    crane.wait(plain, named)
    for index in range(4):
        usual = (crane.work / f"Crane-{plain}_{index}.out").read_text()
        output, error = (crane.work / f"d/{named}_{index}.{kind}" for kind in ("output", "error"))
        assert "/no/such/file" in usual and "/no/such/file" in error.read_text()
        assert output.read_text().split() == [str(named), str(index), "4", "0", "3", "1"]


def test_records_of_what_waits(crane: Cluster) -> None:
    """ARR-03, ARR-04, ARR-05."""
    job = crane.submit("--begin=now+1hour", "--array=0-7", "--wrap", "true")
    for index in range(8):
        shown = [field(crane, f"{job}_{index}", name) for name in ("JobId", "ArrayJobId", "ArrayTaskId")]
        assert shown == [[str(job + index)], [str(job)], [str(index)]]
    assert field(crane, job, "ArrayTaskId") == ["0-7"]
    assert listed(crane, job, "%i", "-r") == [f"{job}_{index}" for index in range(8)]
    crane.run("ccancel", f"{job}_7")
    crane.run("ccontrol", "show", "job", f"{job}_7", code=4)
    crane.run("ccancel", str(job))
    assert field(crane, job, "JobState") == ["Cancelled"]


def test_released_one_by_one_and_together(crane: Cluster) -> None:
    """ARR-06 to ARR-11: by element, by range, by plain id; what runs cannot be held; strides; all cancelled."""
    go = crane.work / "released"
    job = crane.submit("--hold", "--array=1-10", "-c", "0.5", "--wrap", until(go))
    assert listed(crane, job, "%i=%t") == [f"{job}_[1-10]=Pending"]
    crane.run("ccontrol", "release", f"{job}_5")
    running(crane, job, 5)
    assert listed(crane, job, "%i=%t") == [f"{job}_[1-4,6-10]=Pending", f"{job}_5=Running"]
    for name in (f"{job}_5", str(job + 4)):
        assert listed(crane, name, "%i=%t") == [f"{job}_5=Running"]
    crane.run("ccontrol", "hold", str(job))
    said = crane.run("ccontrol", "hold", f"{job}_[1-5]", code=4)
    assert f"{job}_[1-4] modified" in said.stdout and f"Failed to modify job: {job}_5. " in said.stderr
    crane.run("ccontrol", "release", f"{job}_[1-4,6-10]")
    running(crane, job, *range(1, 11))
    assert len(listed(crane, job)) == 10
    crane.run("ccancel", f"{job}_[1-9:2]")
    with watching(crane, "-j", str(job), "-t", "all") as lines:
        wait_for(lines, *(f"{job}_{index}={'Cancelled' if index % 2 else 'Running'}" for index in range(1, 11)))
    crane.run("ccancel", str(job))
    assert crane.wait(job) == {job: 320}
    assert set(states(crane, job).values()) == {"Cancelled"} and len(states(crane, job)) == 10


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["ccancel"], "cancelled"),
        (["ccontrol", "hold"], "modified"),
        (["ccontrol", "release"], "modified"),
        (["ccontrol", "requeuehold"], "requeued and held"),
    ],
)
def test_a_range_wider_than_its_array(crane: Cluster, command: list[str], said: str) -> None:
    """Check that what exists is acted on, the rest is told; a range of nothing changes nothing."""
    job = crane.submit("--hold", "--array=0-8:2", "--wrap", "true")
    done = crane.run(*command, f"{job}_[3-99]", code=4)
    assert f"{job}_[4,6,8] {said} successfully." in done.stdout
    assert f" {job}_[3-99]. Reason: it has elements that array {job} has not: its indexes are 0-8:2." in done.stderr
    none = crane.run(*command, f"{job}_[90-99]", code=4).stderr
    assert "successfully" not in none and "its indexes are 0-8:2" in none
    crane.run("ccancel", f"{job}_[0-2]", code=None)
    crane.run("ccancel", str(job), code=None)


def test_how_an_element_has_ended_is_its_own(crane: Cluster) -> None:
    """Of an array of which one element failed, a completed one is not called failed."""
    job = crane.submit("--array=0-1", "--wrap", "exit $CRANE_ARRAY_TASK_ID")
    crane.wait(job)
    for name, how in ((f"{job}_0", "Completed"), (f"{job}_1", "Failed"), (str(job), "Failed")):
        said = crane.run("ccancel", name, code=4).stderr
        assert said == f"Failed to cancel job: {name}. Reason: Job has already ended ({how}).\n"


def test_a_throttle_is_never_passed(crane: Cluster) -> None:
    """ARR-14: two at most, told by the elements themselves."""
    script = (
        "mkdir -p two; touch two/$CRANE_ARRAY_TASK_ID; ls two | wc -l >> twos; sleep 0.2; rm two/$CRANE_ARRAY_TASK_ID"
    )
    job = crane.submit("--array=0-3%2", "-c", "0.5", "--wrap", script)
    crane.wait(job)
    assert max(map(int, (crane.work / "twos").read_text().split())) <= 2


def test_throttles_that_are_changed(crane: Cluster) -> None:
    """ARR-16: lowered nothing is stopped and nothing starts; 0 takes the limit away; nonsense changes nothing."""
    go = crane.work / "changed"
    job = crane.submit("--array=0-5%3", "-c", "0.5", "--wrap", f"touch {go}.$CRANE_ARRAY_TASK_ID; {until(go)}")
    running(crane, job, 0, 1, 2)
    crane.run("ccontrol", "update", f"jobid={job}", "ArrayTaskThrottle=1")
    for bad in ("-1", "x", "1.5", ""):
        crane.run("ccontrol", "update", f"jobid={job}", f"ArrayTaskThrottle={bad}", code=None)
    assert crane.run("ccontrol", "update", f"jobid={job}_1", "arraytaskthrottle=9", code=4).stderr.endswith(f"{job}.\n")
    assert listed(crane, job) == [f"{job}_[3-5%1]", *(f"{job}_{index}" for index in range(3))]
    crane.run("ccancel", f"{job}_[0-1]")
    assert crane.wait(job + 1) == {job + 1: 320}
    assert listed(crane, job, "%i=%t=%R")[0] == f"{job}_[3-5%1]=Pending=ArrayTaskLimit"
    crane.run("ccontrol", "update", f"jobid={job}", "ArrayTaskThrottle=0")
    running(crane, job, 2, 3, 4, 5)
    go.touch()
    crane.wait(job)


def test_requeues_by_range(crane: Cluster) -> None:
    """Elements named run again, the others go on or stay ended; their indexes and output names are kept."""
    go = crane.work / "again"
    script = f"echo $CRANE_ARRAY_TASK_ID >> {go}.ran; {until(go)}"
    job = crane.submit("--requeue", "--array=1-4", "-c", "0.5", "--wrap", script)
    wait_for_lines(Path(f"{go}.runs"), 4)
    assert f"{job}_[2-3] requeued" in crane.run("ccontrol", "requeue", f"{job}_[2-3]").stdout
    wait_for_lines(Path(f"{go}.runs"), 6)
    crane.run("ccontrol", "requeue", str(job + 3))
    wait_for_lines(Path(f"{go}.runs"), 7)
    go.touch()
    assert set(crane.wait(job).values()) == {0}
    assert sorted(Path(f"{go}.ran").read_text().split()) == ["1", "2", "2", "3", "3", "4", "4"]
    assert [field(crane, f"{job}_{index}", "Restarts") for index in (1, 2)] == [["0"], ["1"]]
    crane.run("ccontrol", "requeue", f"{job}_[1,4]")
    assert set(crane.wait(job).values()) == {0}
    assert sorted(Path(f"{go}.ran").read_text().split()) == ["1", "1", "2", "2", "3", "3", "4", "4", "4"]
    crane.run("ccontrol", "requeue", "incomplete", str(job), code=4)


@pytest.mark.parametrize(
    "bad",
    [
        *("3-1", "-5", "1:2", "1-5:0", "1-2x", "1000000", "1000000-2000000", "", ",", "1,,2", "0-", "%5", "-"),
        *("1-3%0", "1-3%abc", "1-3%", "1-3%2,5", "1-3%2%3", "1 - 3", "[1-3", "1.5", "0x10", "1-3%-1", "*", "1_2"),
    ],
)
def test_what_is_no_array(crane: Cluster, bad: str) -> None:
    """ARR-20, and what Slurm lets pass; in a directive too. Nothing is submitted."""
    before = crane.submit("--hold", "--wrap", "true")
    said = crane.run("cbatch", f"--array={bad}", "--wrap", "true", code=2).stderr
    assert "--array: invalid job array specification: " in said and "Traceback" not in said
    if bad.strip():
        crane.run("cbatch", code=2, stdin=f"#!/bin/sh\n#CBATCH --array='{bad}'\ntrue\n")
    after = crane.submit("--hold", "--wrap", "true")
    assert after == before + 1
    crane.run("ccancel", str(before), str(after))


def test_who_waits_for_elements(crane: Cluster) -> None:
    """DEP-12: what waits for an element sees one end, what waits for the array sees all of them."""
    array = crane.submit("--array=0-2", "-c", "0.5", "--wrap", "sleep 0.$CRANE_ARRAY_TASK_ID")
    one = crane.submit("-d", f"afterany:{array}_2", "-o", "one", "--wrap", f"ccontrol show job {array}_2")
    whole = crane.submit("-d", f"afterany:{array}", "-o", "whole", "--wrap", f"ccontrol show job {array}")
    assert crane.wait(one, whole) == {one: 0, whole: 0}
    for name, indexes in (("one", ["2"]), ("whole", ["0", "1", "2"])):
        text = (crane.work / name).read_text()
        assert re.findall(r"ArrayTaskId=(\d+)", text) == indexes
        assert re.findall(r"JobState=(\w+)", text) == ["Completed"] * len(indexes)


def test_each_element_follows_its_own(crane: Cluster) -> None:
    """DEP-14: where one is cancelled only its follower never starts; the others do as theirs do."""
    first = crane.submit("--hold", "--array=1-3", "--wrap", "true")
    second = crane.submit("--array=1-3", "-d", f"aftercorr:{first}", "--wrap", "true")
    crane.run("ccancel", f"{first}_1")
    with watching(crane, "-j", str(second), form="%i=%R") as lines:
        wait_for(lines, f"{second}_1=DependencyNeverSatisfied", f"{second}_[2-3]=Dependency")
    assert f"aftercorr:{first}_*(failed)" in crane.run("ccontrol", "show", "job", f"{second}_1").stdout
    crane.run("ccontrol", "release", f"{first}_3")
    assert crane.wait(second + 2) == {second + 2: 0}
    crane.run("ccancel", f"{first}_2")
    with watching(crane, "-j", str(second), form="%i=%R") as lines:
        wait_for(lines, f"{second}_[1-2]=DependencyNeverSatisfied")
    crane.run("ccancel", str(second))


def test_a_wait_ends_with_the_worst_code(crane: Cluster) -> None:
    for script, code in (("exit $CRANE_ARRAY_TASK_ID", 3), ("kill -9 $$", 137), ("true", 0)):
        crane.run("cbatch", "--wait", "--array=0-3", "-c", "0.5", "-o", "/dev/null", "--wrap", script, code=code)


def test_retries_keep_indexes(crane: Cluster) -> None:
    """Only what did not complete runs again: failed ones and cancelled ones, under the same indexes."""
    script = 'test $CRANE_ARRAY_TASK_ID -gt 4 -o -e mended && echo "$CRANE_ARRAY_TASK_COUNT"'
    job = crane.submit("--hold", "--array=1-9:2", "-o", "retry-%A_%a", "--wrap", script)
    crane.run("ccancel", f"{job}_9")
    crane.run("ccontrol", "release", str(job))
    crane.wait(job)
    assert states(crane, job) == dict(zip("13579", ["Failed"] * 2 + ["Completed"] * 2 + ["Cancelled"], strict=True))
    (crane.work / "mended").touch()
    some = crane.submit("--array-retry", f"{job}_[1-3:2]")
    rest = crane.submit("--array-retry", str(job))
    assert crane.wait(some, rest) == {some: 0, rest: 0}
    assert sorted(states(crane, some)) == ["1", "3"] and sorted(states(crane, rest)) == ["1", "3", "9"]
    assert {path.name for path in crane.work.glob(f"retry-{rest}_*")} == {f"retry-{rest}_{index}" for index in "139"}
    assert "completed" in crane.run("cbatch", "--array-retry", str(rest), code=4).stderr


@pytest.mark.parametrize(("limit", "failed"), [(1, 1), (3, 3)])
def test_the_rest_is_stopped_after_so_many_failures(crane: Cluster, limit: int, failed: int) -> None:
    script = "exit $((CRANE_ARRAY_TASK_ID % 2))"
    job = crane.submit("--array=1-40%1", f"--array-max-fails={limit}", "-o", "/dev/null", "--wrap", script)
    crane.wait(job)
    counts = [state for _, state in sorted(states(crane, job).items(), key=lambda pair: int(pair[0]))]
    assert [(state, len(list(run))) for state, run in itertools.groupby(sorted(counts))] == [
        ("Cancelled", 41 - 2 * limit),
        *([("Completed", limit - 1)] if limit > 1 else []),
        ("Failed", failed),
    ]


def test_summaries(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=0-5", "--wrap", "exit $((CRANE_ARRAY_TASK_ID % 2))")
    crane.run("ccancel", f"{job}_[4-5]")
    crane.run("ccontrol", "release", str(job))
    crane.wait(job)
    form = "%total %completed %failed %cancelled"
    said = crane.run("cacct", "--array-summary", "-N", "-j", str(job), "-o", form).stdout.splitlines()
    assert [line.split() for line in said] == [["6", "2", "2", "2"]]


def test_a_step_is_cancelled_by_the_id_that_its_element_knows(crane: Cluster) -> None:
    """Of the first element, too, whose plain id is the array's: nothing of the others ends."""
    script = (
        'crun -Q -n1 sh -c "exec sleep 600" & pid=$!\n'
        'until ccancel $CRANE_JOB_ID.2 > "$CRANE_ARRAY_TASK_ID.said"; do :; done; wait $pid; echo $?\n'
    )
    job = crane.submit("--array=1-2", "-o", "step-%a", stdin=f"#!/bin/sh\n{script}")
    crane.wait(job)
    assert states(crane, job) == {"1": "Completed", "2": "Completed"}
    assert [(crane.work / f"step-{index}").read_text().split()[-1] for index in (1, 2)] == ["143"] * 2
    said = [(crane.work / f"{index}.said").read_text() for index in (1, 2)]
    assert said == [f"Step {id_}.2 cancelled successfully.\n" for id_ in (job, job + 1)]
