"""Processes of a node: a daemon's user, name and mark, what others may see of it, and when a process began."""

import contextlib
import ctypes
import errno
import os
import stat
from functools import cache

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
#: what the shepherd's family is known by, where it has one (crane_celery.supervisor.marks); never a user's process
MARK_FD = 198
#: the descriptor on which a fork server hears its shepherd
FORK_FD = 3


def prctl(option: int, value: int) -> None:
    """Call prctl(2). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Drop to a user for good, and let no process of that user look inside. Raises OSError."""
    if os.geteuid() == 0:
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    elif os.geteuid() != uid:
        raise PermissionError(errno.EPERM, f"this node runs jobs of uid {os.geteuid()} only")
    prctl(PR_SET_DUMPABLE, 0)


def be_called(name: str) -> None:
    """Set the name that ps and top show (15 bytes at most): a spawner is a fork, with a shepherd's arguments."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write(name)


@cache
def marks() -> list[tuple[int, int]]:
    """Return the mark of this process as a pair of descriptors to hand on, [] where it has none. To be asked first at
    the start, when nothing else can have that number."""
    try:
        return [(MARK_FD, MARK_FD)] if stat.S_ISREG(os.fstat(MARK_FD).st_mode) else []
    except OSError:
        return []


def start_ticks(pid: int) -> int:
    """When a process began (clock ticks since boot; /proc/PID/stat field 22), 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read(4096).rpartition(b")")[2].split()[19])
    except OSError:
        return 0
