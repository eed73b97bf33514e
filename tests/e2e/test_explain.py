"""Why a job waits, when it would start, and whether it then does, by command on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.test_scheduling import running, until
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def crane() -> Iterator[Cluster]:
    """Two nodes of 4 CPUs."""
    with cluster() as made:
        yield made


def starts(crane: Cluster, job: int) -> str:
    return crane.run("cqueue", "-S", "-N", "-j", str(job), "-o", "%S").stdout.strip()


def test_what_it_lacks_who_is_ahead_and_when(crane: Cluster) -> None:
    go = crane.work / "go"
    first = crane.submit("-N", "2", "-n", "6", "-t", "10", "--wrap", until(go))
    running(crane, first)
    wide = crane.submit("-N", "2", "-n", "8", "-t", "5", "--wrap", "true")
    late = crane.submit("-t", "60", "--wrap", "true")
    held = crane.submit("-H", "--wrap", "true")

    said = crane.run("ccontrol", "explain", str(wide)).stdout
    assert "Pending: Resource; CPUs on one node: 4 needed, 1 there" in said
    assert "Not on 2 nodes: too few CPUs free, 4 needed, at most 1 there, 3 short" in said
    assert f"Expected start: {starts(crane, wide)} on n[1-2]" in said

    (told,) = crane.json("ccontrol", "-J", "explain", str(late))["explain"]
    assert told["lines"][0].startswith("Pending: Resource Reserved")
    assert "Not on 2 nodes: room that is kept for jobs ahead" in told["lines"]
    assert f"Ahead: {wide} (submitted earlier)" in told["lines"]
    assert starts(crane, wide) < starts(crane, late)
    assert starts(crane, held) == "N/A"

    before = crane.run("cqueue", "-N", "-o", "%j").stdout
    assert "Job would start at" in crane.run("cbatch", "--test-only", "-t", "1", "--wrap", "true").stdout
    much = crane.run("cbatch", "--test-only", "-N", "2", "-n", "8", "-t", "1", "--wrap", "true").stdout
    assert starts(crane, wide) < much.removeprefix("Job would start at ") and "on n[1-2]" in much
    assert "nobody can say how long: Held" in crane.run("cbatch", "--test-only", "-H", "--wrap", "true").stdout
    assert crane.run("cqueue", "-N", "-o", "%j").stdout == before

    go.touch()
    assert crane.wait(first, wide, late) == {first: 0, wide: 0, late: 0}
    assert "Completed: 1" in crane.run("ccontrol", "explain", str(wide)).stdout


def test_how_a_job_ended(crane: Cluster) -> None:
    loud = crane.submit("-t", "5", "-o", "%j.log", "--wrap", "printf 'first\\n\\033[2Jlast words\\n'; exit 3")
    array = crane.submit(
        "--array=0-3", "-o", "%A-%a.log", "--wrap", "echo $CRANE_ARRAY_TASK_ID; exit $CRANE_ARRAY_TASK_ID"
    )
    crane.wait(loud, array)
    said = crane.run("ccontrol", "explain", str(loud)).stdout
    assert f"{loud}: Failed, exit code 3, on n" in said and "of at most 00:05:00" in said
    assert f"Output: {crane.work}/{loud}.log\n\t\t  | first\n\t\t  | \\x1b[2Jlast words\n" in said
    said = crane.run("ccontrol", "explain", f"{array}_2").stdout
    assert f"{array}_2: Failed, exit code 2" in said and f"{array}-2.log\n\t\t  | 2\n" in said
    failed = crane.run("cacct", "-j", str(array), "-t", "f", "--ids").stdout.strip()
    assert failed == f"{array}_[1-3]"
    (told,) = crane.json("ccontrol", "-J", "explain", failed)["explain"]
    assert [row["last_lines"] for row in told["started"]] == [["1"], ["2"], ["3"]]


def test_a_job_that_needs_several_slots_is_not_overtaken_for_ever(crane: Cluster) -> None:
    """Nothing here has a time limit: nodes are drained towards it."""
    first = crane.submit("--array=0-7", "--wrap", "sleep 0.$((CRANE_ARRAY_TASK_ID + 1))")
    big = crane.submit("-c", "4", "--wrap", "true")
    more = crane.submit("--array=0-79", "--wrap", "sleep 0.5")
    assert crane.wait(big) == {big: 0}
    waiting = crane.run("cqueue", "-N", "-t", "pending", "-j", str(more), "-o", "%j").stdout
    assert str(more) in waiting, "it ran when nothing else waited any more"
    crane.run("ccancel", str(first), str(more), code=None)


def test_the_nodes_that_are_drained_and_what_has_to_end_there(crane: Cluster) -> None:
    go = crane.work / "go-drain"
    ones = [crane.submit("--wrap", until(go)) for _ in range(8)]
    running(crane, ones[-1])
    big = crane.submit("-c", "4", "--wrap", "true")
    said = crane.run("ccontrol", "explain", str(big)).stdout
    while "it waits for the end of 4 running jobs, which have no time limit" not in said:
        assert "Drained for it: no node yet" in said
        crane.submit("--wrap", "true")  # whatever happens makes the scheduler look
        said = crane.run("ccontrol", "explain", str(big)).stdout
    crane.run("ccontrol", "hold", str(big))
    assert "Drained" not in crane.run("ccontrol", "explain", str(big)).stdout
    go.touch()
    crane.run("ccontrol", "release", str(big))
    assert crane.wait(big) == {big: 0}


def test_a_job_that_is_not_there(crane: Cluster) -> None:
    assert "999" in crane.run("ccontrol", "explain", "999", code=None).stderr
