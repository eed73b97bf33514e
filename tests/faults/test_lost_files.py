"""Test what a cleaner of /tmp, or a clumsy rm, takes is made again; what somebody else puts there is not believed."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crane_celery.supervisor import census, datalock, lock, marks
from crane_celery.supervisor.processes import alive, record_of, send, wait_gone
from tests.support.cluster import PATIENCE_S, Cluster, cluster

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

#: tells the test that it runs, takes a word from it for each step, and begins another step
_STEPS = """echo $$ > pid; mkfifo go1 go2; echo x > told
for i in 1 2; do crun -Q sh -c "read word < go$i; echo \\$word >> out"; done
sleep 600"""


@pytest.fixture(scope="module")
def crane() -> Iterator[Cluster]:
    """One cluster for all: each test leaves it up."""
    with cluster() as made:
        yield made


def long_job(crane: Cluster) -> int:
    for name in ("told", "go1", "go2", "out", "pid"):
        (crane.work / name).unlink(missing_ok=True)
    os.mkfifo(crane.work / "told")
    job = crane.submit("-w", "n1", "-o", "/dev/null", "--wrap", _STEPS)
    assert (crane.work / "told").read_text() == "x\n"
    return job


def state(crane: Cluster, job: int) -> str:
    (row,) = crane.json("cqueue", "-j", str(job))["job_info_list"]
    return str(row["status"])


def lose(folder: str) -> None:
    """Remove a folder; daemons may make it again while it is being removed."""
    shutil.rmtree(folder, ignore_errors=True)


def forget(crane: Cluster) -> None:
    """Remove every file by which processes could be found, and kill who could make them again."""
    settings = crane.settings
    supervisor = lock.living(settings.home)
    assert supervisor and send(supervisor, signal.SIGKILL) and not wait_gone([supervisor], PATIENCE_S)
    for path in (settings.run_dir, f"{settings.home}/marks"):
        lose(path)
    for name in ("run", "supervisor.pid", "up.lock"):
        Path(settings.home, name).unlink(missing_ok=True)


def test_a_lost_run_directory_comes_back_and_jobs_and_steps_live_on(crane: Cluster) -> None:
    job = long_job(crane)
    before = crane.pids()
    lose(crane.settings.run_dir)
    assert state(crane, job) == "Running"  # the command waits for the gateway
    (crane.work / "go1").write_text("first\n")
    (crane.work / "go2").write_text("second\n")  # a step that began without any socket
    assert (crane.work / "out").read_text().startswith("first\n")
    quick = crane.submit("-w", "n1", "-o", "/dev/null", "--wrap", "crun -Q true && cqueue > /dev/null")
    assert crane.wait(quick) == {quick: 0}
    after = crane.pids()
    assert {role: each for role, each in after.items() if role != "server"} == {
        role: each for role, each in before.items() if role != "server"
    }
    crane.run("crane", "status")
    crane.kill_all("shepherd.")  # the next shepherd finds the spawner by the socket that was made again
    assert state(crane, job) == "Running"
    crane.run("ccancel", str(job))
    assert crane.wait(job)[job]


def test_without_any_file_up_starts_no_second_server_and_down_ends_all(crane: Cluster) -> None:
    settings, job = crane.settings, long_job(crane)
    first = crane.pids()
    forget(crane)
    crane.up()
    assert not alive(first["server"])
    assert len(datalock.holders(settings.home)) == 1
    assert state(crane, job) == "Running"
    running = set(census.take(settings))
    forget(crane)
    assert "were ended" in crane.run("crane", "down").stdout
    assert not any(map(alive, running))
    crane.up()
    long_job(crane)
    script = record_of(int((crane.work / "pid").read_text()))
    assert script
    forget(crane)
    Path(settings.home, "config.yaml").rename(crane.folder / "kept")
    assert "what was left of its cluster has ended" in crane.run("crane", "down").stdout
    assert marks.found(settings.home) == {}
    assert not alive(script)
    (crane.folder / "kept").rename(Path(settings.home, "config.yaml"))
    crane.up()


def test_up_says_who_has_the_data_open(crane: Cluster) -> None:
    crane.run("crane", "down")
    lock_fd = datalock.take(crane.settings.home)
    with sleeper(lock_fd) as other:  # a server that nothing else tells of
        os.close(lock_fd)
        said = crane.run("crane", "up", code=6).stderr
        assert f"a server with pid {other.pid} has the data in" in said
        assert f"kill {other.pid}" in said
        assert other.poll() is None
    crane.up()


@contextmanager
def sleeper(fd: int = -1) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of nobody's cluster, perhaps with one more descriptor."""
    with subprocess.Popen(["sleep", "600"], pass_fds=[fd] if fd >= 0 else []) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.root
def test_root_signals_nobody_whom_a_strangers_pid_file_names(crane: Cluster) -> None:
    settings = crane.settings
    running = set(census.take(settings))
    lose(settings.run_dir)
    with sleeper() as victim:
        record = record_of(victim.pid)
        assert record
        os.makedirs(f"{settings.run_dir}/pids")
        for role in ("server", "gateway", "node.n1"):
            Path(settings.run_dir, "pids", role).write_text(f"{record.pid} {record.start}\n")
        subprocess.run(["chown", "-R", "65534:65534", settings.run_dir], check=True)
        said = crane.run("crane", "down", code=6).stderr
        assert f"{settings.run_dir} belongs to uid 65534" in said
        assert alive(record)
    assert not any(map(alive, running))  # what is ours was ended all the same
    assert "remove it" in crane.run("crane", "up", code=6).stderr
    lose(settings.run_dir)
    crane.up()
