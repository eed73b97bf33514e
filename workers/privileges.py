"""What a daemon makes of its own process: its user, its name, what others may see of it. Standard library only."""

import contextlib
import ctypes
import errno
import os

PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38


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
