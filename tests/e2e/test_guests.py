"""Programs around jobs of several nodes: before the script on all of them, after it on all of them, whatever fails."""

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.supervisor.processes import send
from tests.e2e.test_limits import hook, state, until
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hooked() -> Iterator[Cluster]:
    """A cluster of three nodes; a prolog fails where a file names its node."""
    with cluster(nodes=3) as made:
        say = f'echo "$CRANE_JOB_ID $CRANE_HOOK $CRANE_NODE_NAME $CRANE_JOB_NODELIST" >> {made.folder}/said'
        prolog = hook(made.folder, "prolog", f"{say}\ntest ! -e {made.folder}/broken.$CRANE_NODE_NAME")
        epilog = hook(made.folder, "epilog", say)
        made.down()
        with (made.home / "config.yaml").open("a") as file:
            file.write(f"JobLifecycleHook: {{Prolog: {prolog}, Epilog: {epilog}}}\n")
        made.run("crane", "up")
        yield made


def said(crane: Cluster, job: int) -> list[tuple[str, str]]:
    """Return what ran around a job, in order: (hook or script, node)."""
    lines = [line.split() for line in (crane.folder / "said").read_text().splitlines()]
    return [(words[1], words[2]) for words in lines if words[0] == str(job)]


def called(pid: int) -> str:
    """The name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def script(crane: Cluster, then: str = "true") -> str:
    """A script that says that it runs."""
    return f'echo "$CRANE_JOB_ID script x" >> {crane.folder}/said; {then}'


def test_on_all_nodes_before_and_after(hooked: Cluster) -> None:
    job = hooked.submit("-N", "3", "--wrap", script(hooked, "exit 3"))
    assert hooked.wait(job) == {job: 3}
    ran = said(hooked, job)
    assert sorted(ran[:3]) == [("prolog", "n1"), ("prolog", "n2"), ("prolog", "n3")]
    assert ran[3] == ("script", "x")
    assert sorted(ran[4:]) == [("epilog", "n1"), ("epilog", "n2"), ("epilog", "n3")]


def test_one_of_them_fails(hooked: Cluster) -> None:
    broken = hooked.folder / "broken.n2"
    broken.touch()
    job = hooked.submit("-N", "3", "--wrap", script(hooked))
    assert hooked.wait(job) == {job: 329}
    ran = said(hooked, job)
    assert ("script", "x") not in ran
    assert {node for which, node in ran if which == "epilog"} >= {"n2"}
    reasons = hooked.run("cinfo", "-R").stdout
    assert f"exit code 1 (job {job})" in reasons and "n2" in reasons
    broken.unlink()
    hooked.run("ccontrol", "update", "nodename=n2", "state=resume")
    job = hooked.submit("-N", "3", "--wrap", script(hooked))
    assert hooked.wait(job) == {job: 0}


@pytest.mark.parametrize("killed", ["node.n1", "node.n2", "scheduler", "crane-shepherd"])
def test_whoever_is_killed_meanwhile_they_run_on_all_nodes(hooked: Cluster, killed: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    job = hooked.submit("-N", "3", "--wrap", script(hooked, f"until [ -e {go} ]; do sleep 0.05; done; exit 4"))
    until(hooked, lambda: state(hooked, job) == "Running")
    for role in [role for role, each in hooked.pids().items() if killed in (role, called(each.pid))]:
        hooked.kill(role)
    go.touch()
    assert hooked.wait(job) == {job: 4}
    ran = said(hooked, job)
    assert sorted(set(ran)) == sorted(
        {*((h, f"n{n}") for h in ("prolog", "epilog") for n in (1, 2, 3)), ("script", "x")}
    )


def test_cancelled_they_run_after_it_on_all_nodes(hooked: Cluster) -> None:
    job = hooked.submit("-N", "2", "--wrap", script(hooked, "sleep 300"))
    until(hooked, lambda: state(hooked, job) == "Running")
    hooked.run("ccancel", str(job))
    assert hooked.wait(job) == {job: 320}
    assert len([node for which, node in said(hooked, job) if which == "epilog"]) == 2


def test_with_a_node_that_is_lost_the_script_ends_on_the_others(tmp_path: Path) -> None:
    with cluster(nodes=2) as crane:
        crane.down()
        with (crane.home / "config.yaml").open("a") as file:
            file.write("NodeTimeout: 5\n")
        crane.run("crane", "up")
        told = tmp_path / "pid"
        job = crane.submit("--no-requeue", "-N", "2", "--wrap", f"echo $$ > {told}; exec sleep 300")
        until(crane, lambda: told.exists() and told.read_text().endswith("\n"))
        watch = os.pidfd_open(int(told.read_text()))
        lost = crane.pids()["node.n2"]
        send(lost, signal.SIGSTOP)
        try:
            assert crane.wait(job) == {job: 326}
            assert select.select([watch], [], [], 30)[0], "it runs on, though its allocation is gone"
        finally:
            send(lost, signal.SIGCONT)
            os.close(watch)
