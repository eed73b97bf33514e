"""Scheduling on a real cluster: rooms that are kept, licences, features, whole nodes, limits of one user."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

_MORE = """
Licenses: matlab:2
MaxJobs: 6
"""


@pytest.fixture(scope="module")
def crane() -> Iterator[Cluster]:
    """Two nodes of 4 CPUs, one of them with a feature; licences; at most six jobs of a user at once."""
    with cluster() as made:
        made.run("ccancel", "-t", "PENDING", code=None)
        made.down()
        config = Path(made.settings.path)
        text = config.read_text()
        config.write_text(text + _MORE)
        made.up()
        yield made


def until(file: Path) -> str:
    """A script that ends when the file is there."""
    return f"until test -e {file}; do sleep 0.05; done"


def state(crane: Cluster, job: int) -> str:
    """State and reason."""
    found = re.search(r"JobState=(\w+) Reason=([^=]*) RunTime", crane.run("ccontrol", "show", "job", str(job)).stdout)
    assert found
    return f"{found[1]} {found[2]}".strip()


def running(crane: Cluster, job: int) -> None:
    """Returns once it runs."""
    with watching(crane, "-j", str(job)) as lines:
        wait_for(lines, f"{job}=Running")


def test_a_wide_job_keeps_its_room_and_a_short_one_slips_in(crane: Cluster) -> None:
    go = crane.work / "go-backfill"
    first = crane.submit("-N", "2", "-n", "6", "-t", "10", "--wrap", until(go))
    running(crane, first)
    wide = crane.submit("-N", "2", "-n", "8", "-t", "10", "--wrap", "true")
    long = crane.submit("-t", "60", "--wrap", "true")
    short = crane.submit("-t", "1", "--wrap", "true")
    assert crane.wait(short) == {short: 0}
    assert state(crane, wide).startswith("Pending") and state(crane, long).startswith("Pending")
    go.touch()
    assert crane.wait(first, wide, long) == {first: 0, wide: 0, long: 0}


def test_licences_are_given_back(crane: Cluster) -> None:
    go = crane.work / "go-licence"
    first = crane.submit("-L", "matlab:2", "-t", "10", "--wrap", until(go))
    running(crane, first)
    second = crane.submit("-L", "matlab:1", "-t", "10", "--wrap", "true")
    other = crane.submit("-t", "10", "--wrap", "true")
    assert crane.wait(other) == {other: 0}
    assert state(crane, second).startswith("Pending")
    go.touch()
    assert crane.wait(second) == {second: 0}


def test_a_licence_that_nobody_has(crane: Cluster) -> None:
    said = crane.run("cbatch", "-L", "ansys:1", "--wrap", "true", code=4).stderr
    assert "ansys" in said and "matlab" in said


def test_whole_nodes(crane: Cluster) -> None:
    go = crane.work / "go-whole"
    small = crane.submit("-t", "10", "-w", "n1", "--wrap", until(go))
    running(crane, small)
    whole = crane.submit("-t", "10", "--exclusive", "-w", "n1", "--wrap", "true")
    elsewhere = crane.submit("-t", "10", "--exclusive", "-x", "n1", "--wrap", "true")
    assert crane.wait(elsewhere) == {elsewhere: 0}
    assert state(crane, whole).startswith("Pending")
    go.touch()
    assert crane.wait(whole) == {whole: 0}


def test_so_many_of_one_user_at_once(crane: Cluster) -> None:
    go = crane.work / "go-many"
    array = crane.submit("-c", "0.5", "-t", "10", "--array=0-8", "--wrap", until(go))

    def rows() -> list[str]:
        return crane.run("cqueue", "-N", "-r", "-j", str(array), "-o", "%t").stdout.split()

    with watching(crane, "-r", "-j", str(array)) as lines:
        wait_for(lines, *(f"{array}_{index}=Running" for index in range(6)))
    assert rows().count("Running") == 6 and rows().count("Pending") == 3
    go.touch()
    assert set(crane.wait(array).values()) == {0}
