"""Stops at every point of a submission: what is said to be refused was not done, and what is not known is said so."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.cluster import Cluster, cluster

pytestmark = pytest.mark.faults
#: seconds that a command waits for an answer here
_BRIEF = {"CRANE_ANSWER_TIMEOUT": "2", "CRANE_CONNECT_TIMEOUT": "1"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Cluster]:
    """One node."""
    with cluster(nodes=1) as made:
        yield made


@contextmanager
def stopped(lab: Cluster, role: str) -> Iterator[None]:
    """A process stands still."""
    pid = lab.pids()[role].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _submit(lab: Cluster, name: str, *more: str, code: int | None = None, brief: bool = True) -> tuple[int, str, str]:
    argv = ("--parsable", "-J", name, "-o", "/dev/null", *more, "--wrap", "true")
    done = lab.run("cbatch", *argv, code=code, env=_BRIEF if brief else {})
    return done.returncode, done.stdout.strip(), done.stderr


def _jobs(lab: Cluster, name: str) -> set[int]:
    rows = lab.json("cacct", "-n", name)["job_info_list"] + lab.json("cqueue", "-t", "all", "-n", name)["job_info_list"]
    return {row["job_id"] for row in rows}


@pytest.mark.parametrize("role", ["gateway", "server"])
def test_a_submission_that_is_not_answered_is_called_unknown_and_asked_for_again(lab: Cluster, role: str) -> None:
    with stopped(lab, role):
        status, said, why = _submit(lab, f"u-{role}")
    assert (status, said) == (3, "")
    assert "it is not known whether this was done, or will be" in why
    key = why.partition("--submit-key ")[2].split()[0]
    _, job, _ = _submit(lab, f"u-{role}", "--submit-key", key, code=0, brief=False)
    again = _submit(lab, f"u-{role}", "--submit-key", key, code=0, brief=False)[1]
    assert job == again
    lab.wait(int(job))
    assert _jobs(lab, f"u-{role}") == {int(job)}


def test_what_never_arrived_is_no_riddle(lab: Cluster) -> None:
    where = {**_BRIEF, "CRANE_SOCKET": str(lab.folder / "none")}
    done = lab.run("cbatch", "-J", "never", "--wrap", "true", code=3, env=where)
    assert "no gateway answers" in done.stderr and "not known" not in done.stderr
    assert _jobs(lab, "never") == set()


def test_a_cancel_that_is_not_answered_says_so_and_may_be_repeated(lab: Cluster) -> None:
    job = lab.submit("--hold", "--wrap", "true")
    with stopped(lab, "gateway"):
        done = lab.run("ccancel", str(job), code=3, env=_BRIEF)
    assert "not known whether" in done.stderr
    lab.run("ccancel", str(job), code=None)
    assert lab.wait(job) == {job: 320}


def test_a_question_that_is_not_answered_has_no_outcome(lab: Cluster) -> None:
    with stopped(lab, "gateway"):
        done = lab.run("cqueue", code=3, env=_BRIEF)
    assert "does not answer" in done.stderr and "not known" not in done.stderr


def test_who_follows_a_job_learns_that_the_gateway_stands_still(lab: Cluster) -> None:
    job = lab.submit("-o", "/dev/null", "--wrap", "sleep 600")
    with stopped(lab, "gateway"):
        for command in (("cwait", str(job)), ("cqueue", "--watch"), ("cqueue",), ("ccancel", str(job))):
            said = lab.run(*command, code=3, env=_BRIEF).stderr
            assert "does not answer" in said, command
    lab.run("ccancel", str(job), code=None)  # the one that was not answered may have been carried out by now
    lab.wait(job)


def test_a_step_asked_of_a_shepherd_that_stands_still_is_given_up(lab: Cluster) -> None:
    (shepherd,) = [each for each in lab.pids().values() if _called(each.pid) == "crane-shepherd"]
    script = "echo x > began; read word < go; CRANE_ANSWER_TIMEOUT=1 crun true 2> said; echo $? > code"
    for name in ("began", "go"):
        os.mkfifo(lab.work / name)
    job = lab.submit("-o", "/dev/null", "--wrap", script + "; echo x > done")
    os.mkfifo(lab.work / "done")
    assert (lab.work / "began").read_text()
    os.kill(shepherd.pid, signal.SIGSTOP)
    try:
        (lab.work / "go").write_text("go\n")
        assert (lab.work / "done").read_text()
    finally:
        os.kill(shepherd.pid, signal.SIGCONT)
    assert "takes connections and does not answer" in (lab.work / "said").read_text()
    assert (lab.work / "code").read_text() == "3\n"
    assert lab.wait(job) == {job: 0}


def _called(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()
