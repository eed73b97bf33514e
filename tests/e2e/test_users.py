"""Several people on one cluster, and one ordinary person with a cluster of their own."""

import os
import shlex
import sys
from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, cluster
from tests.support.people import NOBODY, as_user, opening

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.timeout(180)]
STRANGER = 65533


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """Root's cluster, whose nodes run everybody's jobs."""
    with cluster(prefix=opening()) as made:
        yield made


@pytest.fixture(scope="module")
def nobody(shared: Cluster) -> Cluster:
    """The same as uid 65534 sees it."""
    return shared.person(NOBODY, as_user())


@pytest.fixture(scope="module")
def alone() -> Iterator[Cluster]:
    """A cluster that uid 65534 made, without any privilege."""
    with cluster(uid=NOBODY, prefix=as_user()) as made:
        yield made


def ran(who: Cluster, script: str, *args: str) -> str:
    """Run a job to its end and give its output."""
    job = int(who.run("cbatch", "--wait", "--parsable", "-o", "%j.out", *args, "--wrap", script).stdout)
    return (who.work / f"{job}.out").read_text()


def test_a_job_is_its_submitter(nobody: Cluster) -> None:
    assert ran(nobody, "id -u; id -g; id -G; umask; pwd").split() == [
        *("65534", "65534", "65534", "0022", str(nobody.work))
    ]
    assert "CapEff:\t0000000000000000\n" in ran(nobody, "cat /proc/self/status")
    job = int(nobody.run("cbatch", "--wait", "--parsable", "--wrap", "true").stdout)
    assert (nobody.work / f"Crane-{job}.out").stat().st_uid == NOBODY


def test_a_job_sees_no_secret(shared: Cluster, nobody: Cluster) -> None:
    script = f"""import os, socket
    home = {str(shared.home)!r}
    secret = []
    for top, dirs, files in os.walk(home):
        for name in dirs + files:
            path = os.path.join(top, name)
            if os.access(path, os.W_OK) and not path.endswith((".sock",)):
                print("writable", path)
    for name in ("keys/launch.key", "history.db", "server/appendonlydir", "log/scheduler.log", "spool/n1/journal"):
        if os.access(os.path.join(home, name), os.R_OK):
            print("readable", name)
    for name in ("server/server.sock",):
        try:
            socket.socket(socket.AF_UNIX).connect(os.path.join(home, "run", name))
            print("connects", name)
        except PermissionError:
            pass
    """
    (nobody.work / "spy.py").write_text("\n".join(line.removeprefix("    ") for line in script.splitlines()))
    assert ran(nobody, f"exec {shlex.quote(sys.executable)} spy.py") == ""


def test_others_see_no_command_line_and_the_owner_and_root_do(shared: Cluster, nobody: Cluster) -> None:
    """One job that runs, with a step, and one that has ended, by every command that could tell."""
    os.mkfifo(nobody.work / "seen", 0o666)
    secret = "crun -Q sh -c 'read word < seen; exit 3' --token=S3CR3T"
    live = int(nobody.run("cbatch", "--parsable", "-o", "/dev/null", "--wrap", f"{secret}; true").stdout)
    past = int(nobody.run("cbatch", "--wait", "--parsable", "-o", "/dev/null", "--wrap", "true --token=S3CR3T").stdout)
    stranger = shared.person(STRANGER, as_user(STRANGER))
    ways = (
        ("cqueue", "--json"), ("cqueue", "-o", "%o"), ("cqueue", "--steps", "--json"),
        ("cqueue", "-t", "all", "--json"),
        ("ccontrol", "show", "job", str(live)), ("ccontrol", "show", "job", str(past), "--json"),
        ("ccontrol", "show", "step", "--json"), ("cacct", "--json"), ("cacct", "-j", f"{live},{past}", "--json"),
        ("ccontrol", "explain", f"{live},{past}"), ("ccontrol", "story", str(past)), ("ceff", "--json", str(past)),
        ("cacct", "-j", str(past), "-o", "%i %S"),
    )  # fmt: skip
    told = {who.work.name: [who.run(*way, code=None).stdout for way in ways] for who in (stranger, nobody, shared)}
    assert not [way for way, said in zip(ways, told[stranger.work.name], strict=True) if "S3CR3T" in said]
    for who in (nobody, shared):
        assert sum("S3CR3T" in said for said in told[who.work.name]) >= 6, who.work.name
    assert 'CmdLine="(private)"' in stranger.run("ccontrol", "show", "job", str(live)).stdout
    (nobody.work / "seen").write_text("yes\n")
    shared.wait(live)


def test_a_job_signals_nobody_else(shared: Cluster, nobody: Cluster) -> None:
    daemons = [each.pid for each in shared.pids().values()]
    pids = [str(pid) for pid in daemons if os.stat(f"/proc/{pid}").st_uid == 0]  # all but the user's own spawner
    assert len(pids) >= 8
    other = shared.submit("--wrap", "exec sleep 600")
    assert ran(nobody, f"for p in {' '.join(pids)}; do kill -0 $p 2>/dev/null && echo $p; done; true") == ""
    shared.run("ccancel", str(other))
    assert shared.wait(other) == {other: 320}


def test_only_owners_and_operators_act_on_a_job(shared: Cluster, nobody: Cluster) -> None:
    mine, theirs = nobody.submit("--hold", "--wrap", "true"), shared.submit("--hold", "--wrap", "true")
    said = nobody.run("ccancel", str(theirs), code=4).stderr
    assert said == f"Failed to cancel job: {theirs}. Reason: Permission Denied.\n"
    for verb in ("hold", "release"):
        said = nobody.run("ccontrol", verb, str(theirs), code=4).stderr
        assert said == f"Failed to modify job: {theirs}. Reason: Permission Denied.\n"
    assert nobody.run("ccontrol", "release", str(mine)).returncode == 0
    assert shared.wait(mine) == {mine: 0}
    held = nobody.submit("--hold", "--wrap", "true")
    assert shared.run("ccancel", str(held), str(theirs)).returncode == 0
    assert nobody.run("cqueue", "--self", "-N", "-o", "%j").stdout == ""


def test_what_the_user_may_not_reach_fails_the_job(shared: Cluster, nobody: Cluster) -> None:
    closed = shared.folder / "closed"
    closed.mkdir(mode=0o700)
    for option, path, code, reason in (
        ("-D", closed, 323, f"working directory {closed}: Permission denied"),
        ("-o", closed / "x", 321, f"output file {closed}/x: Permission denied"),
    ):
        job = nobody.submit(f"{option}{path}", "--wrap", "true")
        assert shared.wait(job) == {job: code}
        assert f"Reason={reason} RunTime" in nobody.run("ccontrol", "show", "job", str(job)).stdout


def test_an_unreadable_script(nobody: Cluster) -> None:
    file = nobody.work / "secret.sh"
    file.write_text("#!/bin/sh\necho\n")
    file.chmod(0o600)  # root's, since the tests are
    said = nobody.run("cbatch", "secret.sh", code=2).stderr
    assert said.startswith("cbatch: error: script 'secret.sh': it cannot be read; chmod u+r it, or ask its owner\n")


def test_a_step_of_another_user_is_refused(shared: Cluster, nobody: Cluster) -> None:
    job = shared.submit("--wrap", "exec sleep 600")
    said = ran(nobody, f"CRANE_JOB_ID={job} crun true; echo $?")
    assert "step refused" in said
    shared.run("ccancel", str(job))
    assert shared.wait(job) == {job: 320}


def test_basics_without_privileges(alone: Cluster) -> None:
    steps = "crun sh -c 'echo rank $CRANE_PROCID' | sort; crun -n1 sh -c 'exit 3'; echo $?"
    said = ran(alone, f"id -u; {steps}", "-n2")
    assert said.splitlines()[:3] == ["65534", "rank 0", "rank 1"]
    assert said.splitlines()[-1] == "3"
    array = alone.submit("--array=0-3", "-o", "el-%a", "--wrap", "echo $CRANE_ARRAY_TASK_ID")
    after = ["-d", f"afterok:{array}", "--wait", "-o", "after", "--wrap", "cat el-*"]
    alone.run("cbatch", *after)
    assert (alone.work / "after").read_text() == "0\n1\n2\n3\n"
    assert alone.run("cbatch", "-t", "2s", "--wait", "--wrap", "sleep 600", code=None).returncode == 197
    assert {node["cgroup"] for node in alone.json("crane", "status")["nodes"]} == {"none"}


def test_a_single_users_cluster_refuses_others(alone: Cluster) -> None:
    for prefix in (as_user(STRANGER), []):
        alone_as = alone.person(STRANGER if prefix else 0, prefix)
        said = alone_as.run("cbatch", "--wrap", "true", code=4).stderr
        assert said.startswith("Job allocation failed: ")
        assert "65534" in said or "nobody" in said
    assert alone.run("cqueue", "-N").stdout == ""


def test_what_hides_ends_without_cgroups(alone: Cluster) -> None:
    """With the driver 'none' a process that left its session is found by the mark in its environment."""
    said = ran(alone, "setsid sh -c 'trap \"\" TERM; sleep 600' >/dev/null 2>&1 & echo $!")
    from crane_celery.supervisor.processes import record_of, wait_gone

    record = record_of(int(said))
    assert record is None or not wait_gone([record], 30)


def test_explain_reads_output_as_the_caller(shared: Cluster, nobody: Cluster) -> None:
    job = shared.submit("-o", "secret.log", "--wrap", "chmod 600 secret.log; echo secret words; exit 1")
    shared.wait(job)
    assert "secret words" in shared.run("ccontrol", "explain", str(job)).stdout
    other = nobody.run("ccontrol", "explain", str(job)).stdout
    assert f"{job}: Failed, exit code 1" in other
    assert "secret words" not in other and "(not shown: " in other
