"""The spawner's journal of starts and exits: plain lines, appended one by one, read by a shepherd that comes after.

``s key pid start mono`` (started; ``start`` = clock ticks since boot, /proc/PID/stat field 22) · ``x key status mono``
(ended; a wait status) · ``f key stage errno mono text`` (never started). A start is written after each spawn and before
the next; an end before the child is reaped: so whoever dies when, at most one start is not told of, and no end.
"""

import contextlib
import math
import os
from typing import NamedTuple


class Known(NamedTuple):
    """Record of what a journal tells of one key."""

    pid: int = 0
    start: int = 0
    began: float = 0.0
    status: int | None = None
    ended: float = 0.0
    stage: str = ""
    number: int = 0
    text: str = ""

    @property
    def over(self) -> bool:
        """Return whether it has ended, or never started."""
        return self.status is not None or bool(self.stage)


def started(key: str, pid: int, start: int, mono: float) -> bytes:
    """A line for a start."""
    return f"s {key} {pid} {start} {mono:.6f}\n".encode()


def exited(key: str, status: int, mono: float) -> bytes:
    """A line for an end."""
    return f"x {key} {status} {mono:.6f}\n".encode()


def failed(key: str, stage: str, number: int, mono: float, text: str) -> bytes:
    """A line for a launch that failed."""
    flat = text.replace("\n", " ").encode(errors="backslashreplace")
    return f"f {key} {stage} {number} {mono:.6f} ".encode() + flat + b"\n"


def read(path: str) -> dict[str, Known]:
    """All that a journal tells; a torn last line is passed over. A journal that is not there tells nothing."""
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    known: dict[str, Known] = {}
    for line in lines:
        with contextlib.suppress(IndexError, ValueError):  # torn by a full disk, perhaps with the next one behind it
            _take(known, line.decode(errors="replace").split(" ", 5))
    return known


def _take(known: dict[str, Known], parts: list[str]) -> None:
    key = parts[1]
    match parts[0]:
        case "s":
            known[key] = Known(int(parts[2]), int(parts[3]), _seconds(parts[4]))
        case "x":
            known[key] = known.get(key, Known())._replace(status=int(parts[2]), ended=_seconds(parts[3]))
        case "f":
            known[key] = Known(stage=parts[2], number=int(parts[3]), ended=_seconds(parts[4]), text=parts[5])


def _seconds(text: str) -> float:
    """Return a monotonic time; ValueError for one that is no number, or endless."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"no time: {text}")
    return value


def append(fd: int, line: bytes) -> bool:
    """Write one line; False when the disk is full: the report still goes out, only a crash would lose it."""
    try:
        return os.write(fd, line) == len(line)
    except OSError:
        return False
