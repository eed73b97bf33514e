"""Processes inside control groups, and drivers to check: what the checks of the drivers are made of.

Standard library only: a virtual machine runs them too.
"""

import contextlib
import os
import select
import traceback
from collections.abc import Iterator
from typing import NoReturn

from workers.cgroup import SPAWN_KEY, Driver, Leaf, probe
from workers.cgroup.mounts import here, parse_mountinfo
from workers.cgroup.tracker import Freezer
from workers.cgroup.v1 import V1Driver, layout_of

MIB = 1 << 20
NOBODY = 65534
PYTHON = "/usr/bin/python3"  # one that other users may execute too
HINT = f"crane.check{os.getpid()}"
PATIENCE_S = 20.0

PRELUDE = (
    "import os, signal, sys, time\npipe = int(sys.argv[1])\ndef tell(*what): os.write(pipe, repr(what).encode())\n"
)
IDLE = "tell('up')\nwhile True: signal.pause()\n"
HOG = "tell('up')\nblob = bytearray(256 << 20)\nfor i in range(0, len(blob), 4096): blob[i] = 1\n"
BURN = "end = time.process_time() + {cpu}\nwhile time.process_time() < end: pass\ntell('burnt')\nsignal.pause()\n"
STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        tell('up')
    while True: signal.pause()
while True: signal.pause()
"""


class CannotError(Exception):
    """A check is about something that this driver, or this user, does not have."""


def needs(there: bool, what: str) -> None:
    """Go on only where something is there. Raises CannotError."""
    if not there:
        raise CannotError(what)


class Child:
    """A process that was born in a leaf, and the pipe it speaks through."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.pipe = pipe

    def hear(self) -> str:
        """Wait for the next word."""
        assert select.select([self.pipe], [], [], PATIENCE_S)[0], "the child said nothing"
        return os.read(self.pipe, 4096).decode()

    def wait(self) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        pidfd = os.pidfd_open(self.pid)
        try:
            assert select.select([pidfd], [], [], PATIENCE_S)[0], "the child does not end"
        finally:
            os.close(pidfd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def launch(leaf: Leaf, code: str, uid: int = 0) -> Child:
    """Start Python code inside a leaf as the spawner does: enter as the user, through descriptors opened by root."""
    doors = leaf.entry_fds()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(doors, leaf.key, code, uid, writing)
    os.close(writing)
    leaf.adopt(pid)
    return Child(pid, reading)


def _become(doors: list[int], key: str, code: str, uid: int, pipe: int) -> NoReturn:
    try:
        os.setsid()
        if uid and os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        for door in doors:
            os.write(door, b"0")
        os.set_inheritable(pipe, True)
        os.execve(PYTHON, ["python3", "-I", "-S", "-c", PRELUDE + code, str(pipe)], {SPAWN_KEY: key})
    except BaseException:
        traceback.print_exc()
    os._exit(99)


def make_driver(kind: str, node: str = "n1") -> Driver:
    """Make a driver of a kind; `v1-freezer` is v1 as on a host that has no v2 tree beside it."""
    if kind != "v1-freezer":
        return probe(HINT, node, want=kind)
    layout = layout_of(here().v1, None, cpuset=False)
    assert layout is not None, "no v1 freezer"
    return V1Driver(layout, f"{HINT}.{node}")


def kind_of(driver: Driver) -> str:
    """Return what `make_driver` made it from."""
    lone = isinstance(driver, V1Driver) and isinstance(driver.tracker, Freezer)
    return "v1-freezer" if lone else driver.name


@contextlib.contextmanager
def opened(kind: str) -> Iterator[Driver]:
    """Make a driver and leave nothing behind."""
    driver = make_driver(kind)
    try:
        yield driver
    finally:
        assert driver.remove_all(), "something was left"


def directories() -> list[str]:
    """Return every directory of ours in every hierarchy."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        tops = {mount.point for mount in parse_mountinfo(file.read())}
    return [path for top in tops for path, _, _ in os.walk(top) if os.path.basename(path).startswith(HINT)]
