"""Define what a cgroup driver must do, as plain functions: pytest runs them on this host, a virtual machine on pure v2.

Run by itself (`python3 -m tests.integration.cgroup.checks v2`) this prints a line per check and exits with 1 if one
failed. Standard library only. Nothing waits by sleeping: pipes, pidfds and cgroup.events tell when.
"""

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from tests.integration.cgroup.children import (
    BURN,
    HOG,
    IDLE,
    MIB,
    NOBODY,
    PATIENCE_S,
    PYTHON,
    STUBBORN,
    CannotError,
    Child,
    directories,
    kind_of,
    launch,
    make_driver,
    needs,
    opened,
)
from workers.cgroup import Driver, Limits


def check_memory_limit_kills_and_is_told_apart(driver: Driver) -> None:
    """A job over its memory limit is killed, and the kill counts as one for want of memory."""
    needs(driver.can_oom, "a driver that tells deaths for want of memory")
    group = driver.group("mem")
    group.take(Limits(memory=32 * MIB))
    assert launch(group.leaf(1), HOG).wait() == -signal.SIGKILL
    used = group.usage()
    assert used.oom_kills >= 1, used
    assert 24 * MIB <= used.memory_peak <= 34 * MIB, used
    assert group.leaf(1).usage().oom_kills >= 1


def check_kill_by_hand_is_no_oom(driver: Driver) -> None:
    """A process that was killed by a signal is not taken for one that ran out of memory."""
    group = driver.group("hand")
    group.take(Limits(memory=64 * MIB))
    child = launch(group.leaf(1), IDLE)
    child.hear()
    assert group.signal(signal.SIGKILL) == 1
    assert child.wait() == -signal.SIGKILL
    assert group.usage().oom_kills == 0


def check_cpu_quota_bites(driver: Driver) -> None:
    """A quarter of a CPU is about a quarter of the time."""
    needs("cpu" in driver.controllers, "a driver with the controller cpu")
    group = driver.group("cpu")
    group.take(Limits(cpus=0.25))
    begun = time.monotonic()
    child = launch(group.leaf(1), BURN.format(cpu=0.5))
    child.hear()
    share = group.usage().cpu_s / (time.monotonic() - begun)
    assert share < 0.4, share


def check_pids_limit_bites(driver: Driver) -> None:
    """Forks beyond the limit fail with EAGAIN in the job, and nowhere else."""
    needs("pids" in driver.controllers, "a driver with the controller pids")
    group = driver.group("pids")
    group.take(Limits(pids=10))
    code = """
made = 0
try:
    for _ in range(50):
        if os.fork() == 0: signal.pause()
        made += 1
except BlockingIOError: pass
tell(made)
signal.pause()
"""
    child = launch(group.leaf(1), code)
    assert child.hear() == "(9,)"
    assert group.usage().pids == 10


def check_limits_go_up_and_down(driver: Driver) -> None:
    """Any limit may follow any other, none at all included."""
    group = driver.group("limits")
    for memory in (64 * MIB, 256 * MIB, 16 * MIB, None, 8 * MIB, 8 * MIB, 1):
        group.take(Limits(0.5 if memory else None, memory, 5 if memory else None))
        assert group.release()


def check_a_user_without_rights_enters(driver: Driver) -> None:
    """A process that has dropped to a user enters through descriptors that root opened, and goes home again."""
    needs(os.geteuid() == 0, "root")
    group = driver.group("user")
    group.take(Limits(memory=64 * MIB))
    child = launch(group.leaf(1), "tell(os.getuid(), os.geteuid())\n" + IDLE, uid=NOBODY)
    assert child.hear().startswith(f"({NOBODY}, {NOBODY})")
    assert group.pids() == [child.pid] == group.leaf(1).pids()
    assert not group.empty()
    group.leaf(1).kill()
    child.wait()
    assert group.wait_empty(PATIENCE_S)


def check_a_spawner_goes_through_and_home(driver: Driver) -> None:
    """A resident spawner enters pooled groups by turns; what it spawns is born inside, and each is empty at its end."""
    groups = [driver.group(f"slot{i}") for i in range(3)]
    for group in groups:
        group.take(Limits(memory=64 * MIB, cpus=1.0, pids=20))
    doors, home = [group.leaf(1).entry_fds() for group in groups], driver.home()
    pid = os.fork()
    if pid == 0:
        _spawn_by_turns(doors, home)
    assert Child(pid, -1).wait() == 0
    for group in groups:
        assert group.empty(), group.pids()
        assert not driver.can_oom or group.usage().cpu_s > 0
        assert group.release()


def _spawn_by_turns(doors: list[list[int]], home: list[int]) -> NoReturn:
    try:
        if os.geteuid() == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        for turn in range(12):
            for fd in doors[turn % len(doors)]:
                os.write(fd, b"0")
            born = os.posix_spawn(PYTHON, ["python3", "-I", "-S", "-c", "pass"], {})
            for fd in home:
                os.write(fd, b"0")
            assert os.waitpid(born, 0)[1] == 0
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def check_stubborn_tree_is_killed(driver: Driver) -> None:
    """Processes that ignore SIGTERM, have left the session and were forked twice are found and killed."""
    group = driver.group("tree")
    group.take(Limits())
    child = launch(group.leaf(1), STUBBORN, uid=NOBODY)
    child.hear()
    assert len(group.pids()) == 3
    assert group.signal(signal.SIGTERM) == 3
    assert len(group.pids()) == 3
    group.leaf(1).kill()
    assert child.wait() == -signal.SIGKILL
    assert group.wait_empty(PATIENCE_S)
    assert group.empty()


def check_cleared_environment_does_not_hide(driver: Driver) -> None:
    """A process that throws its environment away is found all the same, and so are its children."""
    group = driver.group("bare")
    group.take(Limits())
    again = "import os, signal\nos.fork()\nos.write({pipe}, b'up')\nwhile True: signal.pause()"
    code = f"code = {again!r}.format(pipe=pipe)\nos.execve({PYTHON!r}, ['python3', '-I', '-S', '-c', code], {{}})\n"
    child = launch(group.leaf(1), code)
    heard = 0
    while heard < len("upup"):
        heard += len(child.hear())
    assert len(group.pids()) == 2
    group.leaf(1).kill()
    assert child.wait() == -signal.SIGKILL
    assert group.wait_empty(PATIENCE_S)


def check_signal_reaches_all(driver: Driver) -> None:
    """A signal that is not SIGKILL reaches every process once."""
    group = driver.group("signal")
    group.take(Limits())
    code = "signal.signal(signal.SIGUSR1, lambda *_: tell('usr1'))\n" + IDLE
    children = [launch(group.leaf(1), code) for _ in range(3)]
    for child in children:
        child.hear()
    assert group.signal(signal.SIGUSR1) == 3
    assert [child.hear() for child in children] == ["('usr1',)"] * 3
    group.signal(signal.SIGKILL)
    for child in children:
        child.wait()


def check_freeze_and_thaw(driver: Driver) -> None:
    """A frozen job does nothing; thawed it goes on, and it can be killed while it is frozen."""
    group = driver.group("freeze")
    group.take(Limits())
    child = launch(group.leaf(1), "os.set_blocking(pipe, False)\nwhile True:\n  try: tell(1)\n  except OSError: pass\n")
    child.hear()
    assert group.freeze()
    while select.select([child.pipe], [], [], 0.1)[0]:
        os.read(child.pipe, 1 << 20)
    group.thaw()
    child.hear()
    assert group.freeze()
    group.signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert group.wait_empty(PATIENCE_S)
    assert group.release()


def check_reuse_counts_from_zero(driver: Driver) -> None:
    """The next job of a group does not inherit what the last one used."""
    group = driver.group("again")
    for _ in range(3):
        group.take(Limits(memory=32 * MIB))
        fresh = group.usage()
        assert fresh.cpu_s < 0.05, fresh
        assert fresh.oom_kills == 0, fresh
        assert fresh.memory_peak <= 16 * MIB, fresh
        leaf = group.leaf(1)
        child = launch(leaf, BURN.format(cpu=0.2))
        child.hear()
        leaf.kill()
        child.wait()
        if driver.can_oom:
            assert launch(leaf, HOG).wait() == -signal.SIGKILL
            used = group.usage()
            assert used.oom_kills >= 1 and 0.2 <= used.cpu_s < 1.5, used
        if not group.release():  # a peak that this kernel cannot reset
            assert group.remove()
            group = driver.group("again")


def check_steps_count_apart(driver: Driver) -> None:
    """Each step is counted and killed by itself; the job's count is of all, also of steps that are gone."""
    group = driver.group("steps")
    group.take(Limits(memory=64 * MIB))
    first = launch(group.leaf(1), BURN.format(cpu=0.2))
    first.hear()
    second = launch(group.leaf(2), BURN.format(cpu=0.1))
    second.hear()
    assert group.leaves() == [1, 2]
    assert (group.leaf(1).pids(), group.leaf(2).pids()) == ([first.pid], [second.pid])
    one, two, whole = group.leaf(1).usage(), group.leaf(2).usage(), group.usage()
    assert whole.pids == 2 and one.pids == two.pids == 1
    assert one.cpu_s >= 0.19 and two.cpu_s >= 0.09, (one, two)
    assert abs(whole.cpu_s - one.cpu_s - two.cpu_s) < 0.1, (one, two, whole)
    group.leaf(2).kill()
    second.wait()
    assert group.leaf(1).pids() == [first.pid]
    group.leaf(2).close()
    assert group.leaves() == [1]
    if driver.can_oom:
        assert group.usage().cpu_s >= whole.cpu_s
    assert group.release()
    first.wait()
    group.take(Limits(memory=64 * MIB))
    assert group.usage().cpu_s < 0.05


def check_oom_of_a_gone_step_still_counts(driver: Driver) -> None:
    """A step's OOM kill stays in the job's count when its leaf is gone."""
    needs(driver.can_oom, "a driver that tells deaths for want of memory")
    group = driver.group("gone")
    group.take(Limits(memory=32 * MIB))
    assert launch(group.leaf(5), HOG).wait() == -signal.SIGKILL
    kills = group.leaf(5).usage().oom_kills
    assert kills >= 1
    assert group.leaf(1).usage().oom_kills == 0
    group.leaf(5).close()
    assert group.leaves() == [1]
    assert group.usage().oom_kills == kills


def check_release_kills_what_is_left(driver: Driver) -> None:
    """A group is not given to the next job while something of the last one lives."""
    group = driver.group("left")
    group.take(Limits())
    child = launch(group.leaf(1), STUBBORN)
    child.hear()
    assert group.release()
    assert child.wait() == -signal.SIGKILL
    assert group.empty()


def check_found_again_after_a_restart(driver: Driver) -> None:
    """A new driver finds the groups, their processes and the base they count from."""
    group = driver.group("again")
    group.take(Limits())
    burner = launch(group.leaf(1), BURN.format(cpu=1.0))
    burner.hear()
    assert group.release()
    burner.wait()
    group.take(Limits(memory=64 * MIB))
    child = launch(group.leaf(1), BURN.format(cpu=0.1))
    child.hear()
    driver.close()
    later = make_driver(kind_of(driver))
    try:
        assert "again" in later.existing()
        found = later.group("again")
        assert found.pids() == [child.pid]
        assert found.leaves() == [1]
        assert 0.09 <= found.usage().cpu_s < 0.9, found.usage()
        found.leaf(1).kill()
        child.wait()
        assert found.release()
        found.take(Limits(memory=32 * MIB))
    finally:
        later.close()


def check_nothing_is_left(driver: Driver) -> None:
    """Removing everything kills what runs and leaves no directory; another node of the host is not touched."""
    other = make_driver(kind_of(driver), "n2")
    try:
        for one in (driver, other):
            one.group("x").take(Limits())
        mine, its = launch(driver.group("x").leaf(1), STUBBORN), launch(other.group("x").leaf(1), IDLE)
        mine.hear()
        its.hear()
        assert driver.remove_all()
        assert mine.wait() == -signal.SIGKILL
        assert other.group("x").pids() == [its.pid]
    finally:
        assert other.remove_all()
    its.wait()
    assert directories() == []


def check_bad_names_are_refused(driver: Driver) -> None:
    """A name may not leave the node's directory."""
    for name in ("", "..", "a/b", "memory.max"):
        try:
            driver.group(name)
        except Exception as exc:
            assert type(exc).__name__ == "CgroupError", exc
        else:
            raise AssertionError(name)


CHECKS: list[Callable[[Driver], None]] = [
    value for name, value in list(globals().items()) if name.startswith("check_") and callable(value)
]


def run(kind: str, check: Callable[[Driver], None]) -> None:
    """Run one check with a driver of its own."""
    with opened(kind) as driver:
        check(driver)


def main(kinds: list[str]) -> int:
    """Run all checks with each kind of driver; return the exit status."""
    failed = 0
    for kind in kinds:
        for check in CHECKS:
            begun = time.monotonic()
            try:
                run(kind, check)
                word = "ok"
            except CannotError as error:
                word = f"cannot ({error})"
            except BaseException:
                word = "FAIL"
                failed += 1
                sys.stdout.write(traceback.format_exc())
            sys.stdout.write(f"{word} {kind} {check.__name__} {time.monotonic() - begun:.2f}s\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
