"""Log files of daemons that write to their standard output: appended, capped, one older copy kept."""

import contextlib
import os
import shutil

from crane_celery import trust

#: bytes at which a log is cut
CAP = 16 << 20


def open_log(folder: str, role: str) -> int:
    """A descriptor that appends to a role's log. Raises OSError, Untrusted."""
    trust.make_directory(folder, 0o700)
    return trust.opened(os.path.join(folder, f"{role}.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def cap(folder: str, limit: int = CAP) -> None:
    """Cut each log over ``limit``: its text goes to ``<role>.log.1``. Lines written during the copy may be lost.

    The writers hold the file open for appending, so they go on at its new end.
    """
    trust.directory(folder)
    for entry in list(os.scandir(folder)):
        if entry.name.endswith(".log") and entry.stat(follow_symlinks=False).st_size > limit:
            shutil.copyfile(entry.path, f"{entry.path}.1")
            os.truncate(entry.path, 0)


def turn(folder: str) -> None:
    """Begin new logs: each one there becomes ``<role>.log.1``. Only while nobody writes."""
    with contextlib.suppress(FileNotFoundError):
        for entry in list(os.scandir(folder)):
            if entry.name.endswith(".log"):
                os.replace(entry.path, f"{entry.path}.1")


def tail(folder: str, role: str, size: int = 8192) -> str:
    """The last bytes of a role's log as text; "" when there is none."""
    try:
        with open(trust.opened(os.path.join(folder, f"{role}.log"), os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
