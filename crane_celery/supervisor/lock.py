"""One supervisor per home: a lock that the kernel lets go when its holder dies, in the file that names the holder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from crane_celery.errors import Refused
from crane_celery.supervisor.processes import Record, alive, record_of


def path(home: str) -> str:
    """The lock file of a home."""
    return os.path.join(home, "supervisor.pid")


@contextlib.contextmanager
def held(home: str) -> Iterator[None]:
    """Hold the lock of a home while the block runs. Raises Refused when another supervisor has it.

    The file is nobody else's to open: whoever can open a file can lock it.
    """
    fd = os.open(path(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"a supervisor of {home} runs already: 'crane status' shows it") from error
        me = record_of(os.getpid())
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()} {me.start if me else 0}\n".encode())
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def changing(home: str, *, wait: bool = True) -> Iterator[None]:
    """Be the only one that brings a home up or down; a second ``up`` waits until the first, or a ``down``, is through.

    ``wait=False``: go on also while another one is at it (a ``down`` must end an ``up`` that does not get on).
    """
    if not os.path.isdir(home):  # a host that runs single roles
        yield
        return
    fd = os.open(os.path.join(home, "up.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whoever can open a file can lock it
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(fd)


def holder(home: str) -> Record | None:
    """The living supervisor of a home, None when there is none."""
    try:
        with open(path(home), encoding="ascii") as file:
            pid, start = file.read().split()
        record = Record(int(pid), int(start))
    except (OSError, ValueError):
        return None
    return record if alive(record) else None
