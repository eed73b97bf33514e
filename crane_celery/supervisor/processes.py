"""Processes that may no longer be our children, named so that a reused pid is never signalled by mistake.

A process is (pid, start time in clock ticks since boot): field 22 of ``/proc/<pid>/stat``. A signal goes through a
pidfd that was opened before the start time was compared, so nothing can change in between (Linux 5.3).
"""

import os
import select
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

#: index of the start time among the fields behind the program's name
_START_FIELD = 19


class Record(NamedTuple):
    """One process for ever."""

    pid: int
    start: int


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none, or only its zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[_START_FIELD])


def record_of(pid: int) -> Record | None:
    """The record of a living process."""
    start = start_time(pid)
    return None if start is None else Record(pid, start)


def alive(record: Record) -> bool:
    """Return whether this very process still runs."""
    return start_time(record.pid) == record.start


def send(record: Record, number: signal.Signals) -> bool:
    """Signal this very process; False when it has gone (or is not ours to signal)."""
    try:
        fd = os.pidfd_open(record.pid)
    except OSError:
        return False
    try:
        if not alive(record):
            return False
        signal.pidfd_send_signal(fd, number)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def wait_gone(records: Iterable[Record], timeout_s: float) -> list[Record]:
    """Wait until all of them have ended, by their pidfds and not by asking; returns those that have not in time."""
    deadline = time.monotonic() + timeout_s
    poll, open_fds = select.poll(), {}
    try:
        for record in records:
            fd = _watch(record)
            if fd is not None:
                open_fds[fd] = record
                poll.register(fd, select.POLLIN)
        left = dict(open_fds)
        while left and (rest := deadline - time.monotonic()) > 0:
            for fd, _ in poll.poll(rest * 1000):
                poll.unregister(fd)
                del left[fd]
        return list(left.values())
    finally:
        for fd in open_fds:
            os.close(fd)


def _watch(record: Record) -> int | None:
    """A pidfd of this very process, None when it has gone."""
    try:
        fd = os.pidfd_open(record.pid)
    except OSError:
        return None
    if alive(record):
        return fd
    os.close(fd)
    return None


def end(records: Iterable[Record], grace_s: float) -> list[Record]:
    """TERM, wait, KILL, wait a second; returns what would not die."""
    targets = list(records)
    for record in targets:
        send(record, signal.SIGTERM)
    stubborn = wait_gone(targets, grace_s)
    for record in stubborn:
        send(record, signal.SIGKILL)
    return wait_gone(stubborn, 1.0)


def everybody() -> list[int]:
    """All pids of the host that we can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
