"""Define what runs inside the virtual machine: the driver's checks, and those of places that only a machine of our
own has."""

import ctypes
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

from tests.integration.cgroup import checks
from tests.integration.cgroup.children import HINT, NOBODY
from workers.cgroup import Driver, Limits, explain, probe
from workers.cgroup.files import numbers, read, write
from workers.cgroup.v2 import AGENT

TOP = "/sys/fs/cgroup"
CLONE_NEWNS, CLONE_NEWCGROUP, MS_REC_PRIVATE = 0x20000, 0x2000000, 0x44000


def kernel(call: str, *args: object) -> None:
    """Make a system call of the C library; Python has unshare from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*args) != 0:
        raise OSError(ctypes.get_errno(), call)


def elsewhere(box: str, body: Callable[[], None]) -> None:
    """Run something in a process of its own that lives in a group of its own; its failure is ours."""
    path = f"{TOP}/{box}"
    write(f"{TOP}/cgroup.subtree_control", "+cpu +memory +pids")
    os.mkdir(path)
    pid = os.fork()
    if pid == 0:
        _enter_and_run(path, body)
    status = os.waitpid(pid, 0)[1]
    write(f"{path}/cgroup.kill", "1")
    assert os.waitstatus_to_exitcode(status) == 0


def _enter_and_run(path: str, body: Callable[[], None]) -> NoReturn:
    try:
        write(f"{path}/cgroup.procs", "0")
        body()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def some_checks(driver: Driver) -> None:
    """Run the checks that show a driver to be whole: limits, entry by a user, kill, reuse."""
    checks.check_memory_limit_kills_and_is_told_apart(driver)
    checks.check_pids_limit_bites(driver)
    checks.check_a_spawner_goes_through_and_home(driver)
    checks.check_stubborn_tree_is_killed(driver)


def namespace_root() -> None:
    """Our own group is the root of a cgroup namespace, as in a container: `/`, but not the real root."""
    kernel("unshare", CLONE_NEWNS | CLONE_NEWCGROUP)
    kernel("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
    kernel("umount2", TOP.encode(), 2)
    kernel("mount", b"none", TOP.encode(), b"cgroup2", 0, None)
    assert read("/proc/self/cgroup").strip() == "0::/"
    driver = probe(HINT, "boxed")
    assert driver.name == "v2"
    assert read("/proc/self/cgroup").strip() == f"0::/{AGENT}"
    assert numbers(f"{TOP}/cgroup.procs") == []
    try:
        some_checks(driver)
    finally:
        assert driver.remove_all()


def two_nodes_in_one_unit() -> None:
    """Two nodes share the parent that both have to empty; the second finds the first one's leaf and stays in it."""
    first = probe(HINT, "a")
    second = probe(HINT, "b")
    try:
        assert (first.name, second.name) == ("v2", "v2")
        some_checks(first)
        some_checks(second)
        second.group("g").take(Limits())
        assert first.remove_all()
        assert second.existing() and second.group("g").empty()
    finally:
        assert first.remove_all()
        assert second.remove_all()


def delegated_to_a_user() -> None:
    """An ordinary user who owns the group, as systemd's Delegate= gives it, has all limits as well."""
    own = f"{TOP}{read('/proc/self/cgroup').strip()[3:]}"
    for name in (own, f"{own}/cgroup.procs", f"{own}/cgroup.subtree_control", f"{own}/cgroup.threads"):
        os.chown(name, NOBODY, NOBODY)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    driver = probe(HINT, "user")
    assert driver.name == "v2", driver.name
    try:
        some_checks(driver)
    finally:
        assert driver.remove_all()


def not_delegated_is_none() -> None:
    """A user who owns nothing gets the driver that needs nothing, and is told how to mend it."""
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    assert probe(HINT, "poor").name == "none"
    assert [finding.remedy for finding in explain() if not finding.ok]


PLACES: dict[str, Callable[[], None]] = {
    "namespace_root": namespace_root,
    "two_nodes_in_one_unit": two_nodes_in_one_unit,
    "delegated_to_a_user": delegated_to_a_user,
    "not_delegated_is_none": not_delegated_is_none,
}


def main() -> int:
    """Run all; return the exit status."""
    sys.stdout.write(f"kernel {os.uname().release}, controllers {read(TOP + '/cgroup.controllers')}")
    failed = checks.main(["v2"])
    for name, body in PLACES.items():
        begun = time.monotonic()
        try:
            elsewhere(name, body)
            word = "ok"
        except BaseException:
            sys.stdout.write(traceback.format_exc())
            word, failed = "FAIL", 1
        sys.stdout.write(f"{word} {name} {time.monotonic() - begun:.2f}s\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
