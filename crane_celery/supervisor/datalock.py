"""One server per data directory: the server itself holds a lock on the directory, so that it lasts as long as it lives.

The lock (flock) is taken on the directory before the server starts; the server inherits the descriptor, and the kernel
lets go when the server and its forks have ended, whatever became of the supervisor, of pid files and of sockets. The
directory is nobody else's to open (0700): whoever can open something can lock it.
"""

import contextlib
import errno
import fcntl
import os

from crane_celery import trust
from crane_celery.errors import Refused
from crane_celery.supervisor.processes import everybody

#: the server's descriptor of it
FD = 199


def folder(home: str) -> str:
    """The data directory of a home."""
    return os.path.join(home, "server")


def take(home: str) -> int:
    """Take the lock; return the descriptor that the server is to inherit. Raises Refused where one lives."""
    trust.make_directory(folder(home), 0o700)
    fd = os.open(folder(home), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(fd)
    except BlockingIOError:
        os.close(fd)
        raise Refused(_told(home)) from None
    except OSError as error:
        os.close(fd)
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP):
            raise
        fd = _take_file(home)  # NFS locks files only
    return fd


def _take_file(home: str) -> int:
    fd = trust.opened(os.path.join(folder(home), "lock"), os.O_RDWR | os.O_CREAT)
    try:
        _lock(fd)
    except BlockingIOError:
        os.close(fd)
        raise Refused(_told(home)) from None
    return fd


def _lock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check(home: str) -> None:
    """Raise Refused where a server of this home lives."""
    os.close(take(home))


def holders(home: str) -> list[int]:
    """Return the pids of processes that have the lock's descriptor, as far as we may look."""
    where = {os.path.realpath(folder(home)), os.path.realpath(os.path.join(folder(home), "lock"))}
    return [pid for pid in everybody() if pid != os.getpid() and _has_open(pid, where)]


def _has_open(pid: int, where: set[str]) -> bool:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}") in where:
                    return True
    return False


def _told(home: str) -> str:
    pids = " ".join(map(str, holders(home)))
    who = f"a server with pid {pids}" if pids else "a process that cannot be seen from here"
    how = f"'crane down' ends it, else 'kill {pids}'" if pids else "end it on its host, or in its container"
    return f"{who} has the data in {folder(home)} open, and two would destroy it: {how}; then try again"
