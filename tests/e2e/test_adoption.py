"""kill -9 of a node's worker while jobs and steps run: the next worker tells their true exit codes, each once."""

import os
import signal

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

#: writes down that it began, says so, and waits for a word from the test; both through a FIFO: nobody has to poll
_WAIT = "echo x >> began.$CRANE_JOB_NAME; echo x > told.$CRANE_JOB_NAME; read word < go.$CRANE_JOB_NAME"


def _submit(crane: Cluster, name: str, script: str) -> int:
    for end in ("told", "go"):
        os.mkfifo(crane.work / f"{end}.{name}")
    return crane.submit("-J", name, "-w", "n1", "-o", f"out.{name}", "--wrap", script)


def _began(crane: Cluster, *names: str) -> None:
    for name in names:
        assert (crane.work / f"told.{name}").read_text() == "x\n"


def _go(crane: Cluster, *names: str) -> None:
    for name in names:
        (crane.work / f"go.{name}").write_text("go\n")


def test_true_exit_codes_after_the_worker_was_killed(crane: Cluster) -> None:
    names = {"five": 5, "none": 0, "early": 7}
    jobs = {name: _submit(crane, name, f"{_WAIT}; exit {code}") for name, code in names.items()}
    step = _submit(crane, "step", f"crun -Q sh -c '{_WAIT}; exit 9'; code=$?; crun -Q true && exit $code")
    _began(crane, *names, "step")
    down = crane.pids()["node.n1"]
    os.kill(down.pid, signal.SIGSTOP)  # it hears nothing of what ends now, and dies with it unsaid
    _go(crane, "early")
    crane.kill("node.n1")
    _go(crane, "five", "none", "step")
    codes = crane.wait(*jobs.values(), step)
    assert codes == {**{jobs[name]: code for name, code in names.items()}, step: 9}
    for name in (*names, "step"):
        assert (crane.work / f"began.{name}").read_text() == "x\n", f"{name} ran twice"
    (row,) = crane.json("cacct", "-j", str(step))["job_info_list"]
    steps = {each["step_id"]: (each["status"], each["exit_code"]) for each in row["step_info_list"]}
    assert steps[2] == ("Failed", 9)
    assert steps[3] == ("Completed", 0)
    assert row["exit_code"] == 9


def test_jobs_submitted_while_the_worker_is_away_run_once(crane: Cluster) -> None:
    supervisor = crane.pids()["supervisor"]
    os.kill(supervisor.pid, signal.SIGSTOP)  # so that nothing restarts the worker yet
    try:
        crane.kill("node.n1")
        job = crane.submit("-w", "n1", "-o", "/dev/null", "--wrap", "echo x >> once; exit 4")
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)
    assert crane.wait(job) == {job: 4}
    assert (crane.work / "once").read_text() == "x\n"


def test_profile_files_are_read_where_a_job_asks_for_them(crane: Cluster) -> None:
    (crane.work / ".profile").write_text("FROM_PROFILE=yes; export FROM_PROFILE\n")
    jobs = [crane.submit(*more, "-o", "%j", "--wrap", "echo $FROM_PROFILE.") for more in (["--get-user-env"], [])]
    assert crane.wait(*jobs) == dict.fromkeys(jobs, 0)
    assert [(crane.work / str(job)).read_text().split()[-1] for job in jobs] == ["yes.", "."]
