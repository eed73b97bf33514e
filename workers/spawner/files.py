"""The files of a process to be, opened as the user, by the spawner. Every failure is an errno and a sentence."""

import contextlib
import errno
import fcntl
import os
import stat
from typing import NamedTuple

from crane_celery.folders import make_folders

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | os.O_CREAT


class Refusal(Exception):
    """A launch that cannot be: at which stage (cwd, input, output, exec), which errno, and a sentence for people."""

    def __init__(self, stage: str, number: int, text: str) -> None:
        """Keep the three parts."""
        super().__init__(text)
        self.stage, self.number, self.text = stage, number, text


class Files(NamedTuple):
    """Descriptors of one process: its directory, and 0, 1, 2. Close all after the spawn (1 and 2 may be the same)."""

    cwd: int
    stdin: int
    stdout: int
    stderr: int

    def close(self) -> None:
        """Close each once."""
        for fd in set(self):
            os.close(fd)


def directory(path: str) -> int:
    """Open a working directory. Raises Refusal("cwd")."""
    try:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:
        raise _refusal("cwd", "working directory", path, exc) from exc
    if not os.access(path, os.X_OK):
        os.close(fd)
        raise Refusal("cwd", errno.EACCES, f"working directory {path}: Permission denied")
    return fd


def source(path: str) -> int:
    """Open a standard input. A FIFO without a writer does not block. Raises Refusal("input")."""
    try:
        return _blocking(os.open(path, _READ))
    except (OSError, ValueError) as exc:
        raise _refusal("input", "input file", path, exc) from exc


def sink(path: str, *, append: bool) -> int:
    """Open an output, making its missing parent directories; always O_APPEND, so that writers never overwrite each
    other; truncated first unless ``append``. Raises Refusal("output")."""
    flags = _WRITE | os.O_APPEND | (0 if append else os.O_TRUNC)
    try:
        try:
            fd = os.open(path, flags, 0o666)
        except FileNotFoundError:
            make_folders(os.path.dirname(path))
            fd = os.open(path, flags, 0o666)
    except (OSError, ValueError) as exc:
        raise _refusal("output", "output file", path, exc) from exc
    return _blocking(fd)


def add_line(path: str, text: str) -> None:
    """Append a line to a regular file, on a line of its own; leave alone what is none, or cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            about = os.fstat(fd)
            if stat.S_ISREG(about.st_mode):
                torn = about.st_size > 0 and os.pread(fd, 1, about.st_size - 1) != b"\n"
                os.write(fd, ("\n" if torn else "").encode() + text.encode(errors="backslashreplace") + b"\n")
        finally:
            os.close(fd)


def _blocking(fd: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    return fd


def _refusal(stage: str, what: str, path: str, exc: Exception) -> Refusal:
    number = exc.errno if isinstance(exc, OSError) and exc.errno else errno.EINVAL
    return Refusal(stage, number, f"{what} {path}: {os.strerror(number)}")


def open_files(cwd: str, paths: tuple[str, str, str], *, append: bool) -> Files:
    """Open all that a process needs; an empty stderr path joins stdout. Raises Refusal, leaving nothing open."""
    opened: list[int] = []
    try:
        opened.append(directory(cwd))
        opened.append(source(paths[0] or "/dev/null"))
        opened.append(sink(paths[1] or "/dev/null", append=append))
        joined = not paths[2] or paths[2] == paths[1]
        opened.append(opened[2] if joined else sink(paths[2], append=append))
    except BaseException:
        for fd in opened:
            os.close(fd)
        raise
    return Files(*opened)
