"""Test what memory deaths mean for a step and for its job, and how the kernel's log is read."""

import pathlib

import pytest

from workers.shepherd import memory_deaths
from workers.shepherd.kernel_log import KernelLog
from workers.shepherd.records import Killed, Run, Step


class Log(KernelLog):
    """One that names these pids; unreadable where there are none."""

    def __init__(self, *pids: int) -> None:
        """Read no file."""
        super().__init__("/nonexistent")
        self.pids = pids

    def named(self, pid: int, began: float, ended: float) -> bool | None:
        """See KernelLog."""
        del began, ended
        return pid in self.pids if self.pids else None


def run_of(status: int, *, cause: str = "", killed: bool = False, last: Killed | None = None) -> Run:
    """A run whose script ended so."""
    run = Run(
        id=1, run=1, uid=1, gid=1, groups=[], cpus=1.0, memory=1 << 20, grace=1.0, limit=0.0, pen="p", last_killed=last
    )
    run.steps[1] = Step(number=1, cause=cause, killed=killed, began=10.0, ended=20.0, status={0: status})
    run.steps[1].pids[0] = (7, 1)
    return run


@pytest.mark.parametrize(
    ("run", "deaths", "log", "cause"),
    [
        (run_of(-9), 1, Log(), "oom"),
        (run_of(-9), 1, Log(7), "oom"),
        (run_of(-9), 1, Log(8), ""),
        (run_of(-9), 0, Log(7), ""),
        (run_of(-9, killed=True), 1, Log(), ""),
        (run_of(-9, cause="limit"), 1, Log(), "limit"),
        (run_of(-15), 1, Log(), ""),
        (run_of(0), 3, Log(), ""),
        (run_of(1), 3, Log(), ""),
        (run_of(137), 1, Log(8), "oom"),
        (run_of(137), 0, Log(), ""),
        (run_of(137, last=Killed(True, 19.9)), 0, Log(), "oom"),
        (run_of(137, last=Killed(True, 11.0)), 0, Log(), "oom"),
        (run_of(137, last=Killed(False, 19.9)), 1, Log(), ""),
        (run_of(137, last=Killed(False, 11.0)), 1, Log(), "oom"),
    ],
)
def test_of_a_script(run: Run, deaths: int, log: Log, cause: str) -> None:
    assert memory_deaths.of_script(run, deaths, log) == cause


@pytest.mark.parametrize(
    ("statuses", "deaths", "log", "cause"),
    [
        ([0, -9], 1, Log(), "oom"),
        ([-15, -9], 1, Log(), "oom"),
        ([0, -9], 1, Log(8), ""),
        ([137, 0], 2, Log(8), "oom"),
        ([0, 3], 2, Log(), ""),
        ([-9, -9], 0, Log(), ""),
    ],
)
def test_of_a_step(statuses: list[int], deaths: int, log: Log, cause: str) -> None:
    run, step = run_of(0), Step(number=2, ntasks=2, ended=15.0, status=dict(enumerate(statuses)))
    assert memory_deaths.of_step(run, step, deaths, log) == (deaths > 0 or -9 in statuses)
    assert (step.cause, step.memory_deaths, run.memory_deaths) == (cause, deaths, deaths)
    assert (run.last_killed is not None) == bool({-9, 137} & set(statuses))


def test_a_log_that_is_not_there(tmp_path: pathlib.Path) -> None:
    assert KernelLog(str(tmp_path / "none")).named(1, 0.0, 1.0) is None


def test_records_of_the_log() -> None:
    log = KernelLog()
    log._take(b"6,1,1000000,-;boot")
    log._take(b"3,2,15000000,-;Memory cgroup out of memory: Killed process 7 (dd) total-vm:1kB\n SUBSYSTEM=x")
    log._take(b"6,3,16000000,-;usb 1-1: Killed process of another kind")
    assert (log._oldest, list(log._killed)) == (1.0, [(7, 15.0)])
