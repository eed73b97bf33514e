"""Processes of a group, signalled through descriptors and never by bare pid."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

_ROUNDS = 16  # a group that forks faster than this is one for SIGKILL on a frozen or condemned group


class Stat(NamedTuple):
    """Record of what /proc/PID/stat tells; `start` (field 22, clock ticks since boot) and pid together name a
    process."""

    pid: int
    state: str
    ppid: int
    session: int
    start: int
    cpu_ticks: int


def parse_stat(text: str) -> Stat:
    """Read a stat line; the command name may hold blanks and brackets, so fields count from the last bracket."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    cpu_ticks = sum(int(ticks) for ticks in fields[11:15])  # own and waited-for children's, user and system
    return Stat(int(head.split(" ", 1)[0]), fields[0], int(fields[1]), int(fields[3]), int(fields[19]), cpu_ticks)


def stat(pid: int) -> Stat | None:
    """Return what is known of a process, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return parse_stat(file.read())
    except OSError:
        return None


def handles(pid: int, sig: int) -> bool:
    """Return whether a process catches or ignores a signal; False when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
            masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn:", "SigCgt:"))]
    except OSError:
        return False
    return any(mask >> (sig - 1) & 1 for mask in masks)


def open_all(pids: Iterable[int]) -> dict[int, int]:
    """Return a pidfd for each process that is still there (Linux 5.3)."""
    fds: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            fds[pid] = os.pidfd_open(pid)
    return fds


def _deliver(fds: dict[int, int], members: set[int], sig: int) -> set[int]:
    reached = set()
    for pid in fds.keys() & members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(fds[pid], sig)
            reached.add(pid)
    return reached


def send(members: Callable[[], list[int]], sig: int) -> int:
    """Send a signal once to every member, those born meanwhile too; return how many were reached.

    The descriptors are opened between two readings of the member list. A pid that is in the second reading was a
    member after its descriptor was opened, so the descriptor is of that member or of a process that is dead.
    """
    reached: set[int] = set()
    for _ in range(_ROUNDS):
        new = set(members()) - reached
        if not new:
            break
        fds = open_all(new)
        try:
            reached |= _deliver(fds, set(members()), sig)
        finally:
            for fd in fds.values():
                os.close(fd)
    return len(reached)


def wait_gone(members: Callable[[], list[int]], timeout_s: float) -> bool:
    """Wait on pidfds until there are no members; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while pids := members():
        fds = open_all(pids)
        left_ms = int((deadline - time.monotonic()) * 1000)
        gone = left_ms > 0 and _wait_one(fds.values(), left_ms)
        for fd in fds.values():
            os.close(fd)
        if not gone:
            return not members()
    return True


def _wait_one(fds: Iterable[int], timeout_ms: int) -> bool:
    poll = select.poll()
    watched = 0
    for fd in fds:
        poll.register(fd, select.POLLIN)
        watched += 1
    return watched == 0 or bool(poll.poll(timeout_ms))
