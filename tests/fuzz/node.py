"""A node without processes and cgroups: the real herd, journal, clients and recovery over fakes of what they act on."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crane_celery.wire.link import Bounds, Link
from workers.cgroup import Limits, Usage
from workers.common.exit_journal import Known
from workers.shepherd import prolog
from workers.shepherd.cgroup_pool import Pens
from workers.shepherd.journal import Ledger
from workers.shepherd.launching import Launching
from workers.shepherd.output_notes import OutputNotes
from workers.shepherd.prolog import Hooks
from workers.shepherd.recovery import Adopted, Recovery
from workers.shepherd.runs import Herd
from workers.shepherd.spawners import Start, User
from workers.shepherd.steps import Clients
from workers.shepherd.task_epilog import TaskEpilogs
from workers.shepherd.time_limits import Reins
from workers.shepherd.timers import Timers
from workers.spawner import spawner

BOOT = "boot"
#: in memory, where the host has such a folder: journals are written for each input
FOLDER = tempfile.mkdtemp(prefix="crane-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
JOURNAL = FOLDER + "/journal"


def _none(*_args: Any, **_more: Any) -> int:
    raise FileNotFoundError(2, "there are no programs here")


prolog._spawn = _none
prolog._end = lambda _pid, _start: None


class Leaf:
    """A step's processes: none."""

    def __init__(self, name: str) -> None:
        self.name, self.key = name, f"key/{name}"

    def entry_fds(self) -> list[int]:
        return []

    def adopt(self, pid: int) -> None:
        assert isinstance(pid, int) and 0 <= pid < 1 << 32, pid

    def pids(self) -> list[int]:
        return []

    def usage(self) -> Usage:
        return Usage(0.0, 0, 0, 0)

    def deaths(self) -> int:
        return 0

    def deaths_before(self) -> int:
        return 0

    def count_deaths_from(self, before: int) -> None:
        assert isinstance(before, int)

    def signal(self, sig: int) -> int:
        assert isinstance(sig, int) and 1 <= sig <= 64, sig
        return 0

    def kill(self) -> None:
        """There is nothing to kill."""

    def close(self) -> None:
        """There is nothing to close."""


class Group(Leaf):
    """A job's processes: none."""

    path = ""

    def leaf(self, step: int) -> Leaf:
        assert isinstance(step, int)
        return Leaf(str(step))

    def take(self, limits: Limits) -> None:
        for value in (limits.cpus, limits.memory, limits.pids):
            assert value is None or 0 <= value < 1 << 62, limits

    def freeze(self) -> bool:
        return True

    def thaw(self) -> None:
        """Nothing is frozen."""

    def empty(self) -> bool:
        return True

    def release(self, **_bare: bool) -> bool:
        return True

    def remove(self) -> bool:
        return True


class Driver:
    """Groups by name."""

    name, can_oom = "none", False
    controllers: frozenset[str] = frozenset()

    def home(self) -> list[int]:
        return []

    def group(self, name: str) -> Group:
        assert isinstance(name, str)
        return Group(name)

    def existing(self) -> list[str]:
        return []

    def tick(self) -> None:
        """Nothing is remembered."""


class Nursery:
    """Takes starts and starts nothing."""

    def __init__(self) -> None:
        self.posts: dict[User, Any] = {}
        self.pids: set[int] = set()
        self.driver = Driver()
        self.journals: list[tuple[User, dict[str, Known], bool]] = []
        self.sent: list[Start] = []

    def send(self, _user: User, _groups: list[int], starts: list[Start]) -> None:
        self.sent += starts
        for start in starts:
            for fd in start.fds:
                os.close(fd)

    def note(self, user: User, groups: list[int], message: dict[str, Any]) -> None:
        """Nothing is written."""

    def drop(self, pen: str) -> None:
        """Nothing is known of pens."""

    def orphanless(self) -> bool:
        return True

    def recall(self) -> list[tuple[User, dict[str, Known], bool]]:
        return self.journals


class Closer:
    """Closes at once."""

    def close(self, _uid: int, fd: int) -> None:
        os.close(fd)


class Node:
    """Record of what a shepherd is made of, over one journal."""

    def __init__(self, lines: bytes = b"") -> None:
        with open(JOURNAL, "wb") as file:
            file.write(b'["boot","' + BOOT.encode() + b'"]\n' + lines if lines else b"")
        self.ledger = Ledger(JOURNAL, BOOT)
        self.nursery = Nursery()
        self.timers = Timers()
        pens = Pens(self.nursery.driver, {run.pen for run in self.ledger.runs.values()})
        self.herd = Herd(self.ledger, pens, self.nursery, self.timers)
        self.launching = Launching(self.herd)
        self.clients = Clients(self.herd, self.timers, Closer())
        self.reins = Reins(self.herd)
        self.reins.on_resume = self.clients.resumed
        self.hooks = Hooks(self.herd)
        TaskEpilogs(self.herd)
        OutputNotes(self.herd)
        adopted = Adopted(lambda _fd, _key: None, lambda _fd: None)
        self.recovery = Recovery(self.herd, self.nursery, adopted, {}, lambda: None)

    def recover(self) -> None:
        """As a shepherd does first."""
        self.hooks.recover()
        self.recovery.restart()
        self.clients.expect_back()
        self.turn()

    def turn(self) -> None:
        """Do what is due, and write the journal: what a turn of the loop ends with."""
        self.timers.run()
        self.timers.wait()
        self.ledger.commit()

    def close(self) -> None:
        """Let go of the journal."""
        os.close(self.ledger._fd)


@contextmanager
def connected(bounds: Bounds) -> Iterator[tuple[Link, socket.socket]]:
    """A link of the shepherd's, and the socket of who speaks to it."""
    ours, theirs = socket.socketpair()
    link = Link(ours, bounds)
    try:
        with theirs:
            yield link, theirs
    finally:
        link.close()


@contextmanager
def spawning() -> Iterator[spawner.Spawner]:
    """A spawner that starts nothing and opens only the null device."""
    one, other = socket.socketpair()
    journal = os.memfd_create("exits")
    with one, other:
        made = spawner.Spawner(one, journal, os.geteuid())
        try:
            yield made
        finally:
            made._selector.close()
            os.close(made._wake)
            for todo in made._kept._of.values():
                todo.files.close()
            os.close(journal)
