"""The DEP cases of ../shared/cases/slurm_terms.md: what Slurm's own tests expect of dependencies, in our words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_dependency_document import reason, status
from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


class Gates:
    """Jobs that run until their gate opens; all gates open at the end of a test."""

    def __init__(self, crane: Cluster, name: str) -> None:
        """``name``: of the test, since its files must be its own."""
        self.crane, self.name, self.made = crane, name, list[Path]()

    def script(self) -> str:
        """Until the next gate opens."""
        self.made.append(self.crane.work / f"{self.name}.{len(self.made)}")
        return f"until test -e '{self.made[-1]}'; do sleep 0.05; done"

    def job(self, *args: str) -> int:
        """A job of that kind which runs."""
        job = self.crane.submit(*args, "-o", "/dev/null", "--wrap", self.script())
        runs(self.crane, job)
        return job


@pytest.fixture
def gates(crane: Cluster, request: pytest.FixtureRequest) -> Iterator[Gates]:
    """For jobs that run as long as a test likes."""
    made = Gates(crane, request.node.originalname)
    yield made
    for each in made.made:
        each.touch()


def runs(crane: Cluster, job: int) -> None:
    """Wait for the event that a job runs."""
    with watching(crane, "-j", str(job), "-t", "r,p", form="%i=%t") as lines:
        wait_for(lines, f"{job}=Running")


def needs(crane: Cluster, expression: str, script: str = "true", *args: str) -> int:
    """A job with a dependency."""
    return crane.submit("-d", expression, "-o", "/dev/null", *args, "--wrap", script)


def detail(crane: Cluster, job: object) -> str:
    """The conditions with their states."""
    return status(crane, job).partition(" Detail=")[2]


def cancelled(crane: Cluster, job: int) -> None:
    """Cancel what runs, and wait until it is over."""
    crane.run("ccancel", str(job))
    crane.wait(job)


def test_one_after_the_other(crane: Cluster, gates: Gates) -> None:
    """DEP-01."""
    one = gates.job()
    two = needs(crane, f"afterany:{one}")
    assert f"afterany:{one}" in status(crane, two) and reason(crane, two) == "Dependency"
    gates.made[0].touch()
    assert crane.wait(one, two) == {one: 0, two: 0}
    rows = {row["job_id"]: row for row in crane.json("cacct", "-j", f"{one},{two}")["job_info_list"]}
    assert rows[two]["start_time"] >= rows[one]["end_time"]


def test_after_the_begin_of_what_begins_later(crane: Cluster, gates: Gates) -> None:
    """DEP-02."""
    one = crane.submit("--begin=now+2", "-o", "/dev/null", "--wrap", gates.script())
    two = needs(crane, f"after:{one}", gates.script())
    assert reason(crane, two) == "Dependency" and detail(crane, two) == f"after:{one}(unfulfilled)"
    runs(crane, two)
    assert status(crane, two).startswith("PendingDependencies=(null) ")
    assert "JobState=Running Reason=None " in crane.run("ccontrol", "show", "job", str(two)).stdout


def test_after_a_success_or_never(crane: Cluster, gates: Gates) -> None:
    """DEP-05."""
    one, two = gates.job(), gates.job()
    good, never = needs(crane, f"afterok:{one}", gates.script()), needs(crane, f"afterok:{two}")
    gates.made[0].touch()
    runs(crane, good)
    assert status(crane, good).startswith("PendingDependencies=(null) ")
    cancelled(crane, two)
    assert reason(crane, never) == "DependencyNeverSatisfied"
    assert detail(crane, never) == f"afterok:{two}(failed)"
    crane.run("ccancel", str(never))


def test_after_a_failure(crane: Cluster, gates: Gates) -> None:
    """DEP-06."""
    one, two = gates.job(), gates.job()
    never, runs_then = needs(crane, f"afternotok:{one}"), needs(crane, f"afternotok:{two}")
    gates.made[0].touch()
    crane.wait(one)
    assert reason(crane, never) == "DependencyNeverSatisfied"
    cancelled(crane, two)
    assert crane.wait(runs_then) == {runs_then: 0}
    crane.run("ccancel", str(never))


def test_the_faster_of_two(crane: Cluster, gates: Gates) -> None:
    """DEP-07."""
    slow, fast = gates.job(), gates.job()
    job = needs(crane, f"afterok:{slow}?afterok:{fast}", gates.script())
    assert reason(crane, job) == "Dependency"
    gates.made[1].touch()
    runs(crane, job)
    assert "JobState=Running " in crane.run("ccontrol", "show", "job", str(slow)).stdout


def test_one_of_two_then_none(crane: Cluster, gates: Gates) -> None:
    """DEP-08."""
    one, two = gates.job(), gates.job()
    job = needs(crane, f"afterok:{one}?afterok:{two}")
    cancelled(crane, one)
    assert detail(crane, job) == f"afterok:{one}(failed)?afterok:{two}(unfulfilled)"
    assert reason(crane, job) == "Dependency"
    cancelled(crane, two)
    assert detail(crane, job) == f"afterok:{one}(failed)?afterok:{two}(failed)"
    assert reason(crane, job) == "DependencyNeverSatisfied"
    crane.run("ccancel", str(job))


def test_a_list_that_shrinks(crane: Cluster, gates: Gates) -> None:
    """DEP-09."""
    one, two = gates.job(), gates.job()
    job = needs(crane, f"afternotok:{one},afternotok:{two}", gates.script())
    cancelled(crane, one)
    assert status(crane, job).startswith(f"PendingDependencies=afternotok:{two} Status=WaitForAll ")
    cancelled(crane, two)
    runs(crane, job)
    assert status(crane, job).startswith("PendingDependencies=(null) ")


def test_all_of_two_fail_with_one(crane: Cluster, gates: Gates) -> None:
    """DEP-10."""
    one, two = gates.job(), gates.job()
    job = needs(crane, f"afterok:{one},afterok:{two}")
    cancelled(crane, two)
    assert detail(crane, job) == f"afterok:{one}(unfulfilled),afterok:{two}(failed)"
    assert reason(crane, job) == "DependencyNeverSatisfied"
    crane.run("ccancel", str(job))


def test_an_element_or_the_whole_array(crane: Cluster) -> None:
    """DEP-12."""
    array = crane.submit("--array=0-2", "-o", "/dev/null", "--wrap", "sleep 0.$CRANE_ARRAY_TASK_ID")
    shown = "ccontrol show job {0} > seen.%s"
    one = needs(crane, f"afterany:{array}_2", shown.format(f"{array}_2").replace("%s", "element"))
    all_ = needs(crane, f"afterany:{array}", shown.format(array).replace("%s", "array"))
    assert crane.wait(one, all_) == {one: 0, all_: 0}
    element = (crane.work / "seen.element").read_text()
    assert element.count("JobState=Completed") == element.count("JobId=") - element.count("ArrayJobId=") == 1
    rows = crane.json("cacct", "-j", str(array))["job_info_list"]
    assert [row["status"] for row in rows] == ["Completed"] * 3
    assert "JobState=Completed" in (crane.work / "seen.array").read_text()
    assert "JobState=Running" not in (crane.work / "seen.array").read_text()


def test_element_by_element(crane: Cluster, gates: Gates) -> None:
    """DEP-14."""
    one = crane.submit("--array=1-2", "-o", "/dev/null", "--wrap", gates.script())
    two = needs(crane, f"aftercorr:{one}", "true", "--array=1-2")
    for index in (1, 2):
        crane.run("ccancel", f"{one}_{index}")
        with watching(crane, "-r", "-j", str(two), "-t", "p", form="%i=%L") as lines:
            wait_for(lines, f"{two}_{index}=DependencyNeverSatisfied")
        assert "(failed)" in detail(crane, f"{two}_{index}")
        if index == 1:
            assert "(unfulfilled)" in detail(crane, f"{two}_2")
    crane.run("ccancel", str(two))
