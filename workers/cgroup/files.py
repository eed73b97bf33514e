"""The few things done to files of a cgroup file system, with errors that name the file."""

import errno
import os
import time

from workers.cgroup.api import CgroupError

_CHUNK = 65536
_SHORT = 4096
_FIRST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.02


def read(path: str) -> str:
    """Return a short file's text."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _CHUNK).decode()
    finally:
        os.close(fd)


def read_or(path: str, default: str) -> str:
    """Return a short file's text, or the default where there is no such file (an older or smaller kernel)."""
    try:
        return read(path)
    except OSError:
        return default


def write(path: str, text: str) -> None:
    """Write a value; the error names the file, the value and the kernel's answer."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as exc:
        raise CgroupError(f"cannot write {text!r} to {path}: {exc.strerror}") from exc


def try_write(path: str, text: str) -> bool:
    """Write a value where that is possible; return whether it was."""
    try:
        write(path, text)
    except CgroupError:
        return False
    return True


class Gauge:
    """A file that is read for every job, so it is kept open: a read costs 2 us, with open and close it costs 6."""

    __slots__ = ("_fd", "_flags", "_path")

    def __init__(self, path: str, flags: int = os.O_RDONLY) -> None:
        """Open nothing yet."""
        self._path = path
        self._flags = flags | os.O_CLOEXEC
        self._fd = -1

    def fileno(self) -> int:
        """Return the descriptor, opening the file if need be."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, self._flags)
            except PermissionError:  # memory.peak is for reading only before 6.12, and a user is held to that
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd

    def text(self) -> str:
        """Read the file from its beginning, as it is now."""
        return os.pread(self.fileno(), _SHORT, 0).decode()

    def number(self) -> int:
        """Read a file that holds one number."""
        return int(os.pread(self.fileno(), _SHORT, 0))

    def reset(self) -> None:
        """Write 0, which is what resets a high-water mark."""
        os.pwrite(self.fileno(), b"0", 0)

    def close(self) -> None:
        """Close the file if it is open; it may be read again."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


def keyed(text: str, key: str) -> int:
    """Return the number after a key in a flat keyed file such as cpu.stat; 0 when it is not there."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def numbers(path: str) -> list[int]:
    """Return the numbers of a list file of any length; none when the group has gone."""
    try:
        with open(path, encoding="ascii") as lines:
            return [int(line) for line in lines]
    except (FileNotFoundError, ProcessLookupError):
        return []
    except OSError as exc:
        if exc.errno in (errno.ENODEV, errno.EOPNOTSUPP):  # removed while open; a threaded domain
            return []
        raise


def children(path: str) -> list[str]:
    """Return the paths of the groups right below; none when the group has gone."""
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def pids_below(path: str) -> list[int]:
    """Return the processes of a group and of all groups below it."""
    found = numbers(f"{path}/cgroup.procs")
    for child in children(path):
        found += pids_below(child)
    return found


def make(path: str) -> bool:
    """Make a group's directory; return whether it is new."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return False
    except OSError as exc:
        raise CgroupError(f"cannot make {path}: {exc.strerror}") from exc
    return True


def remove_tree(path: str, patience_s: float) -> bool:
    """Remove a group and those below it; return whether it has gone.

    A group whose last process has just died answers EBUSY for a moment (its tasks are unlinked after the wait for
    them has returned), so that is tried again within the patience given.
    """
    for child in children(path):
        if not remove_tree(child, patience_s):
            return False
    deadline = time.monotonic() + patience_s
    pause = _FIRST_WAIT_S
    while True:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_WAIT_S)
        else:
            return True


def remove_trees(paths: list[str], patience_s: float) -> bool:
    """Remove every one of the groups, also when one of them will not go; return whether all have gone."""
    gone = [remove_tree(path, patience_s) for path in paths]
    return all(gone)
