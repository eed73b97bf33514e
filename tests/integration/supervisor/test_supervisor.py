"""The supervisor with real processes: it restarts what dies and stops all; what it leaves after a crash is found."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crane_celery.settings import Settings, parse, prepare_run_dir
from crane_celery.supervisor import pidfiles, stop
from crane_celery.supervisor.processes import Record, alive, record_of, send, wait_gone

ROOT = Path(__file__).resolve().parents[3]
#: supervises two sleepers that carry the cluster's mark, as its daemons do
_RUN = """
import os, sys
from crane_celery.settings import load
from crane_celery.supervisor.loop import Supervisor
from crane_celery.supervisor.roles import Role, environment
settings = load()
env = {**environment(settings, os.environ), "CRANE_DAEMON": ""}  # known by its descriptor alone
Supervisor(settings, [Role(name, ("/bin/sleep", "600"), env) for name in ("gateway", "recorder")]).run()
"""
_PATIENCE_S = 20.0
_TICK = threading.Event()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "config.yaml").write_text("ServerUrl: redis://nobody.invalid\n")
    found = parse((tmp_path / "config.yaml").read_text(), f"{tmp_path}/config.yaml", {"CRANE_HOME": str(tmp_path)})
    prepare_run_dir(found.home, found.run_dir)
    yield found
    stop.everything(found)


@pytest.fixture
def supervisor(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    env = {**os.environ, "CRANE_HOME": settings.home, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", _RUN], env=env) as process:
        yield process
        process.kill()


def until(look: Callable[[], Record | None]) -> Record:
    """Return what ``look`` finds, once it finds something: a pid file that appears has no event of its own."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        _TICK.wait(0.01)
    raise AssertionError("it never came")


def role(settings: Settings, name: str) -> Record:
    return until(lambda: pidfiles.read(settings.run_dir).get(name))


def test_what_dies_is_started_again(settings: Settings, supervisor: "subprocess.Popen[bytes]") -> None:
    first, other = role(settings, "gateway"), role(settings, "recorder")
    send(first, signal.SIGKILL)
    assert wait_gone([first], _PATIENCE_S) == []
    second = role(settings, "gateway")
    assert second != first
    assert alive(other)
    assert supervisor.poll() is None


def test_asked_to_stop_it_stops_all(settings: Settings, supervisor: "subprocess.Popen[bytes]") -> None:
    running = [role(settings, "gateway"), role(settings, "recorder")]
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(_PATIENCE_S) == 0
    assert not any(map(alive, running))
    assert not Path(settings.run_dir).exists()


def test_what_a_killed_supervisor_leaves_is_found(settings: Settings, supervisor: "subprocess.Popen[bytes]") -> None:
    running = [role(settings, "gateway"), role(settings, "recorder")]
    supervisor.kill()
    supervisor.wait()
    assert all(map(alive, running))
    pidfiles.remove(settings.run_dir, "gateway")  # killed before it could note this one
    assert set(stop.strays(settings)) == set(running)
    stop.everything(settings)
    assert not any(map(alive, running))
    stop.everything(settings)


def test_a_lost_run_directory_is_made_again(settings: Settings, supervisor: "subprocess.Popen[bytes]") -> None:
    running = {name: role(settings, name) for name in ("gateway", "recorder")}
    shutil.rmtree(settings.run_dir)
    assert {name: role(settings, name) for name in running} == running
    assert os.path.realpath(Path(settings.home) / "run") == os.path.realpath(settings.run_dir)
    supervisor.kill()


def test_everything_is_found_without_pid_files(settings: Settings, supervisor: "subprocess.Popen[bytes]") -> None:
    running = {role(settings, "gateway"), role(settings, "recorder")}
    supervisor.kill()
    shutil.rmtree(settings.run_dir)
    assert set(stop.strays(settings)) == running
    stop.daemons(settings)
    assert not any(map(alive, running))


def test_a_process_without_the_mark_is_left_alone(settings: Settings) -> None:
    with subprocess.Popen(["sleep", "60"], env={"CRANE_HOME": settings.home}) as user:
        stop.everything(settings)
        assert record_of(user.pid)
        user.kill()
