"""Define how the daemons of a cluster are known without any file that names a pid.

Each has a file of its cluster's home open, ``<home>/marks/<role>``, under one fixed descriptor: ``/proc/<pid>/fd/198``
says whose daemon a process is and which. That survives what overwrites arguments and environment (setproctitle), a lost
run directory, and the file's own removal; nobody else can open the file (the folder is 0700). Users' processes never
have it.
"""

import contextlib
import os

from crane_celery import trust
from crane_celery.supervisor.processes import Record, everybody, record_of

#: the descriptor that is the mark
FD = 198
SUPERVISOR, SHEPHERD = "supervisor", "shepherd."
_GONE = " (deleted)"


def folder(home: str) -> str:
    """Return where the files are; links resolved, as /proc shows them."""
    return os.path.join(os.path.realpath(home), "marks")


def prepare(home: str, role: str) -> str:
    """Make a role's file where it is missing; return its path. Raises Untrusted, OSError."""
    trust.make_directory(folder(home), 0o700)
    path = os.path.join(folder(home), role)
    os.close(trust.opened(path, os.O_RDONLY | os.O_CREAT))
    return path


def hold(home: str, role: str) -> None:
    """Mark this process, and what it becomes by exec, as this role of a cluster. Raises Untrusted, OSError."""
    fd = trust.opened(prepare(home, role), os.O_RDONLY)
    if fd == FD:
        os.set_inheritable(fd, True)
        return
    os.dup2(fd, FD, inheritable=True)
    os.close(fd)


def found(home: str) -> dict[Record, str]:
    """Return the role of each living process that has a mark of this home, other than ourselves."""
    where = folder(home)
    known = _inodes(where)
    roles = {}
    for pid in everybody():
        record = record_of(pid)
        if record and pid != os.getpid() and (role := _role(pid, where, known)):
            roles[record] = role
    return roles


def _role(pid: int, where: str, known: dict[tuple[int, int], str]) -> str:
    """The role that a process is marked with, "" for none. Raises nothing."""
    path = f"/proc/{pid}/fd/{FD}"
    with contextlib.suppress(OSError):
        place, name = os.path.split(os.readlink(path).removesuffix(_GONE))
        if place == where:
            return name
        if os.path.basename(place) == "marks":  # seen from another mount namespace, the path is another
            at = os.stat(path)
            return known.get((at.st_dev, at.st_ino), "")
    return ""


def _inodes(where: str) -> dict[tuple[int, int], str]:
    try:
        return {(at.st_dev, at.st_ino): each.name for each in os.scandir(where) if (at := each.stat())}
    except OSError:
        return {}
