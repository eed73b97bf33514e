"""Processes by pid and start time: found, signalled, waited for, and never mistaken."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from crane_celery.supervisor import backoff, lock, logs, pidfiles
from crane_celery.supervisor.processes import Record, alive, end, record_of, send, wait_gone

Sleeper = subprocess.Popen[bytes]
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def record(process: Sleeper) -> Record:
    found = record_of(process.pid)
    assert found
    return found


def test_a_process_is_ended_and_gone(sleeper: Sleeper) -> None:
    found = record(sleeper)
    assert alive(found)
    assert end([found], 10) == []
    assert not alive(found)
    assert sleeper.wait() == -signal.SIGTERM


def test_a_deaf_process_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert end([record(process)], 0.05) == []
        assert process.wait() == -signal.SIGKILL


def test_another_process_with_the_same_pid_is_left_alone(sleeper: Sleeper) -> None:
    found = record(sleeper)
    other = found._replace(start=found.start + 1)
    assert not send(other, signal.SIGKILL)
    assert wait_gone([other], 10) == []
    assert sleeper.poll() is None


def test_waiting_has_an_end(sleeper: Sleeper) -> None:
    found = record(sleeper)
    assert wait_gone([found], 0) == [found]


def test_pid_files_name_only_the_living(sleeper: Sleeper, tmp_path_factory: pytest.TempPathFactory) -> None:
    run = str(tmp_path_factory.mktemp("run"))
    found = record(sleeper)
    pidfiles.write(run, "server", found)
    pidfiles.write(run, "gone", found._replace(start=1))
    assert pidfiles.read(run) == {"server": found}
    pidfiles.remove(run, "server")
    pidfiles.remove(run, "server")
    assert pidfiles.read(run) == {}


def test_one_home_has_one_supervisor(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = str(tmp_path_factory.mktemp("home"))
    assert lock.holder(home) is None
    with lock.held(home):
        assert lock.holder(home)
        assert os.stat(lock.path(home)).st_mode & 0o077 == 0  # whoever can open it could hold it
        with pytest.raises(lock.Refused, match="crane status"), lock.held(home):
            pass


def test_pauses_double_up_to_a_limit_and_a_long_life_forgives() -> None:
    pauses = [0.0]
    for _ in range(8):
        pauses.append(backoff.pause(pauses[-1], lived_s=0.5))
    assert pauses[1:4] == [0.1, 0.2, 0.4]
    assert pauses[-1] == backoff.LONGEST_S
    assert backoff.pause(5.0, lived_s=backoff.STEADY_S) == backoff.FIRST_S


def test_a_long_log_is_cut_and_its_text_kept_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    (folder / "server.log").write_text("x" * 100)
    (folder / "gateway.log").write_text("short")
    logs.cap(str(folder), limit=50)
    assert (folder / "server.log").read_text() == ""
    assert (folder / "server.log.1").read_text() == "x" * 100
    assert logs.tail(str(folder), "gateway") == "short"
    assert logs.tail(str(folder), "none") == ""
