"""The hierarchies that can hold a job's processes together: v2 (its core files need no controller), v1's freezer."""

import contextlib
import os
import select
import signal
import time
from typing import Protocol

from workers.cgroup import procs
from workers.cgroup.files import Gauge, children, keyed, pids_below, read, try_write, write

_FREEZE_S = 0.1


class Tracker(Protocol):
    """Protocol of what is done to all processes of a group and below. Every method takes the group's directory."""

    def populated(self, path: str) -> bool:
        """Return whether any live process is in it."""

    def events(self, path: str) -> Gauge | None:
        """Return the file that says `populated 0` or 1, where there is one."""

    def wait_empty(self, path: str, timeout_s: float) -> bool:
        """Wait until none is."""

    def kill(self, path: str) -> None:
        """Kill all, also those that are being born; does not wait for their end."""

    def freeze(self, path: str) -> bool:
        """Stop all; return whether they have stopped."""

    def thaw(self, path: str) -> None:
        """Let them go on."""


class Unified:
    """The v2 hierarchy, alone or beside v1 (then it has hardly a controller, but all the core files)."""

    def populated(self, path: str) -> bool:
        """Return what cgroup.events says."""
        try:
            return keyed(read(f"{path}/cgroup.events"), "populated") == 1
        except OSError:
            return False

    def events(self, path: str) -> Gauge:
        """Return cgroup.events."""
        return Gauge(f"{path}/cgroup.events")

    def wait_empty(self, path: str, timeout_s: float) -> bool:
        """Wait on cgroup.events, which raises POLLPRI when it changes."""
        return _await_event(path, "populated", 0, timeout_s)

    def kill(self, path: str) -> None:
        """Write cgroup.kill (5.14); before that kernel freeze (5.2) so that nothing is born, and kill one by one."""
        if try_write(f"{path}/cgroup.kill", "1") or not os.path.isdir(path):
            return
        self.freeze(path)
        procs.send(lambda: pids_below(path), signal.SIGKILL)
        self.thaw(path)

    def freeze(self, path: str) -> bool:
        """Write cgroup.freeze and wait for the event that tells it is done."""
        return try_write(f"{path}/cgroup.freeze", "1") and _await_event(path, "frozen", 1, _FREEZE_S)

    def thaw(self, path: str) -> None:
        """Write cgroup.freeze."""
        try_write(f"{path}/cgroup.freeze", "0")


class Freezer:
    """v1's freezer: freezing is what makes killing sure, since frozen processes are not able to fork."""

    def populated(self, path: str) -> bool:
        """Look for a process, group by group."""
        return bool(pids_below(path))

    def events(self, path: str) -> Gauge | None:
        """Return nothing: v1 has no such file."""
        del path
        return None

    def wait_empty(self, path: str, timeout_s: float) -> bool:
        """Wait on the pidfds of those that are there, since v1 has no event for it that we could poll."""
        return procs.wait_gone(lambda: pids_below(path), timeout_s)

    def kill(self, path: str) -> None:
        """Freeze, kill, thaw: a frozen process takes its SIGKILL when it is thawed."""
        if not os.path.isdir(path):
            return
        self.freeze(path)
        procs.send(lambda: pids_below(path), signal.SIGKILL)
        self._thaw_all(path)

    def freeze(self, path: str) -> bool:
        """Write FROZEN until it reads back so: FREEZING means that some process was not to be stopped yet."""
        deadline = time.monotonic() + _FREEZE_S
        state = f"{path}/freezer.state"
        while True:
            write(state, "FROZEN")
            if read(state) == "FROZEN\n":
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)

    def thaw(self, path: str) -> None:
        """Write THAWED."""
        try_write(f"{path}/freezer.state", "THAWED")

    def _thaw_all(self, path: str) -> None:
        # A leaf that was frozen by itself stays frozen when its parent thaws.
        self.thaw(path)
        for child in children(path):
            self._thaw_all(child)


def _await_event(path: str, key: str, value: int, timeout_s: float) -> bool:
    """Wait until cgroup.events has the value; a group that has gone has no process and is as good."""
    deadline = time.monotonic() + timeout_s
    try:
        fd = os.open(f"{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    with contextlib.closing(os.fdopen(fd, "rb", buffering=0)):
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        while keyed(os.pread(fd, 4096, 0).decode(), key) != value:
            left_ms = int((deadline - time.monotonic()) * 1000)
            if left_ms <= 0 or not poll.poll(left_ms):
                return keyed(os.pread(fd, 4096, 0).decode(), key) == value
    return True
