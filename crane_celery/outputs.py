"""Files that jobs wrote, opened by who asks and as who asks. Standard library only."""

from __future__ import annotations

import errno
import os
import stat

from crane_celery.errors import NotFound, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_BLOCK = 1 << 16
#: states of what has not begun
_WAITING = ("Pending", "Starting")


def path_of(row: Mapping[str, Any], error: bool = False) -> str:
    """The file of an ``output`` row's standard output, or error."""
    return str(row["stderr" if error else "stdout"])


def began(row: Mapping[str, Any]) -> bool:
    """Return whether its newest run has begun, so that there is something to read."""
    return bool(row["began_at"]) and row["state"] not in _WAITING


def opened(row: Mapping[str, Any], error: bool = False) -> int:
    """A descriptor of the file, for reading. Raises NotFound, Refused: why there is nothing to read here."""
    name, path = f"job {row['jobid']}", path_of(row, error)
    if not began(row):
        if row["state"] in _WAITING:
            why = f" ({row['reason']})" if row["reason"] not in ("", "None") else ""
            raise NotFound(f"{name} has not started: {row['state']}{why}; -f waits for it")
        raise NotFound(f"{name} never ran: {row['state']}")
    if not path:
        raise NotFound(f"nothing is known any more of where {name} wrote")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as fault:
        raise _fault(name, path, row, fault) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Refused(f"{name} wrote to {path}, which is not a file that could be read again")
    return fd


def _fault(name: str, path: str, row: Mapping[str, Any], fault: Exception) -> Refused:
    """Why a file cannot be opened: it lies elsewhere, it is gone, it is not ours."""
    number = fault.errno if isinstance(fault, OSError) else errno.EINVAL
    if number not in (errno.ENOENT, errno.ENOTDIR):
        return Refused(f"{name}: {path}: {os.strerror(number or errno.EINVAL)}")
    if row["host"] != os.uname().nodename:
        host = f" (host {row['host']})" if row["host"] not in ("", row["node"]) else ""
        return NotFound(f"the output of {name} lies on another host: {path} on {row['node']}{host}")
    return NotFound(f"{name}: there is no file {path} any more, or not yet")


def tail_start(fd: int, lines: int | None) -> int:
    """Return where the last ``lines`` lines of a file begin (None: its beginning)."""
    size = os.fstat(fd).st_size
    if lines is None:
        return 0
    at, left = size, lines + 1
    if size and os.pread(fd, 1, size - 1) != b"\n":
        left -= 1  # the last line has no end yet
    while at > 0 and left > 0:
        begin = max(0, at - _BLOCK)
        block = os.pread(fd, at - begin, begin)
        while left > 0 and (found := block.rfind(b"\n")) >= 0:
            left -= 1
            if not left:
                return begin + found + 1
            block = block[:found]
        at = begin
    return size if not lines else 0


def read(row: Mapping[str, Any], error: bool = False, lines: int | None = None) -> bytes:
    """All of a file, or its last lines. Raises NotFound, Refused."""
    fd = opened(row, error)
    try:
        at, pieces = tail_start(fd, lines), []
        while piece := os.pread(fd, _BLOCK, at):
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)
