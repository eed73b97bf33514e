"""One supervisor per home: a lock that the kernel lets go when its holder dies, in the file that names the holder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from crane_celery import trust
from crane_celery.errors import Refused
from crane_celery.supervisor import marks
from crane_celery.supervisor.processes import Record, alive, record_of


def path(home: str) -> str:
    """The lock file of a home."""
    return os.path.join(home, "supervisor.pid")


class Lock:
    """The lock of a home, held by this process."""

    def __init__(self, home: str, fd: int) -> None:
        """``fd``: of the locked file."""
        self._home = home
        self._fds = [fd]
        self._write(fd)

    def renew(self) -> None:
        """Make the file again where it has gone: by it commands find us. Raises Untrusted, OSError."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(path(self._home)), os.fstat(self._fds[-1])):
                return
        fd = _lock(self._home)
        self._fds.append(fd)  # the first stays locked, too
        self._write(fd)

    def close(self) -> None:
        """Let go."""
        for fd in self._fds:
            os.close(fd)

    @staticmethod
    def _write(fd: int) -> None:
        me = record_of(os.getpid())
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()} {me.start if me else 0}\n".encode())


@contextlib.contextmanager
def held(home: str) -> Iterator[Lock]:
    """Hold the lock of a home while the block runs. Raises Refused when another supervisor has it, Untrusted.

    The file is nobody else's to open: whoever can open a file can lock it. A supervisor whose file has gone is known by
    its mark.
    """
    made = Lock(home, _lock(home))
    try:
        if other := marked(home):
            raise Refused(f"a supervisor of {home} runs already, pid {other.pid}: 'crane status' shows it")
        yield made
    finally:
        made.close()


def _lock(home: str) -> int:
    fd = trust.opened(path(home), os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(fd, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise Refused(f"a supervisor of {home} runs already: 'crane status' shows it") from error
    return fd


@contextlib.contextmanager
def changing(home: str, *, wait: bool = True) -> Iterator[None]:
    """Be the only one that brings a home up or down; a second ``up`` waits until the first, or a ``down``, is through.

    ``wait=False``: go on also while another one is at it (a ``down`` must end an ``up`` that does not get on).
    Raises Untrusted.
    """
    if not os.path.isdir(home):  # a host that runs single roles
        yield
        return
    fd = trust.opened(os.path.join(home, "up.lock"), os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(fd, 0o600)  # whoever can open it can lock it
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(fd)


def holder(home: str) -> Record | None:
    """Return the living supervisor of a home by its file, None when there is none. Raises Untrusted."""
    try:
        pid, start = trust.read_line(path(home)).split()
        record = Record(int(pid), int(start))
    except (OSError, ValueError):
        return None
    return record if alive(record) else None


def marked(home: str) -> Record | None:
    """Return the living supervisor of a home by its mark, other than ourselves: also one whose file has gone."""
    return next((record for record, role in marks.found(home).items() if role == marks.SUPERVISOR), None)


def living(home: str) -> Record | None:
    """Return the living supervisor of a home, by whatever it is known. Raises Untrusted."""
    return holder(home) or marked(home)
