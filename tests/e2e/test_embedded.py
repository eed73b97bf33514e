"""`crane up` and `crane down` on a real cluster: ready when it says so, gone when it says so, whatever was killed."""

import json
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crane_celery.host import look
from crane_celery.supervisor.processes import wait_gone
from tests.support.cluster import PATIENCE_S, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_jobs_are_accepted_and_run_when_up_returns(crane: Cluster) -> None:
    job = crane.submit("-o", "out", "--wrap", "echo $CRANE_JOB_ID")
    assert crane.wait(job) == {job: 0}
    assert (crane.work / "out").read_text() == f"{job}\n"


def test_every_process_is_shown(crane: Cluster) -> None:
    status = crane.json("crane", "status")
    roles = {row["role"] for row in status["processes"] if row["pid"]}
    assert {"supervisor", "server", "scheduler", "node.n1", "node.n2", "gateway", "recorder"} <= roles
    assert [row["state"] for row in status["nodes"]] == ["up", "up"]


def test_a_second_up_changes_nothing(crane: Cluster) -> None:
    before = crane.pids()["supervisor"]
    assert "up already" in crane.run("crane", "up").stdout
    assert "crane down" in crane.run("crane", "up", "--nodes", "3", code=4).stderr
    assert crane.pids()["supervisor"] == before


def test_what_is_killed_comes_back(crane: Cluster) -> None:
    for role in ("gateway", "scheduler", "recorder", "node.n1", "server"):
        crane.kill(role)
    job = crane.submit("--wrap", "true")
    assert crane.wait(job) == {job: 0}


def test_jobs_wait_for_the_next_up(own_crane: Cluster) -> None:
    job = own_crane.submit("--hold", "--wrap", "true")
    own_crane.run("crane", "down")
    own_crane.up()
    assert own_crane.run("cqueue", "-N", "-o", "%j").stdout.split() == [str(job)]


def test_an_up_during_a_down_starts_the_cluster_anew(own_crane: Cluster) -> None:
    """It waits for the end of what is going down, and does not take it for a cluster that stays."""
    before = own_crane.pids()["supervisor"]
    with ThreadPoolExecutor() as pool:
        down = pool.submit(own_crane.run, "crane", "down")
        assert not wait_gone([own_crane.pids()["scheduler"]], PATIENCE_S)  # it is on its way
        own_crane.up()
        down.result()
    assert own_crane.pids()["supervisor"] != before
    assert own_crane.wait(own_crane.submit("-o", "/dev/null", "--wrap", "true"))


def test_down_finds_everything_after_a_crash(own_crane: Cluster) -> None:
    own_crane.submit("--wrap", "exec sleep 600")
    running = own_crane.pids()
    own_crane.kill("supervisor", signal.SIGKILL)
    own_crane.down()
    assert wait_gone(running.values(), PATIENCE_S) == []
    own_crane.run("crane", "down")
    own_crane.up()


def test_without_sizes_it_takes_what_the_host_has() -> None:
    """One node; a doctor has nothing to say of it."""
    folder = Path(tempfile.mkdtemp(prefix="crane-test-", dir="/tmp"))
    made = Cluster(folder)
    try:
        made.run("crane", "up")
        [node] = made.json("crane", "status")["nodes"]
        offer = look().offer
        assert (node["node"], node["cpus"], node["state"]) == ("n1", offer.cpus, "up")
        assert node["memory"] == offer.memory < look().memory
        told = json.loads(made.run("crane", "doctor", "--json", code=None).stdout)
        assert [each["ok"] for each in told if each["name"] == "capacity"] == [True]
    finally:
        made.run("crane", "down", code=None)
        shutil.rmtree(folder, ignore_errors=True)
