"""Unexpected exceptions: logged once for each place with the item that met it, and counted for `crane doctor`.

A daemon's loop guards every item (a message, a timer, an event) by ``except Exception: faults.record(...)``, so that a
defect of ours costs that item only. Nothing is recorded for what is foreseen (CraneError and the like). Counts lie in
``<log folder>/faults.jsonl``: a line at the first, second, fourth, eighth... time, since the last must not fill a disk.
Standard library only: the shepherd imports it.
"""

import contextlib
import json
import logging
import os
import sys
import threading
import time
import traceback
from typing import Any, NamedTuple

_NAME = "faults.jsonl"
_ITEM_CHARS = 300
#: places of one process that are told apart; and bytes after which the file takes no more
_MOST_PLACES, _MOST_BYTES = 200, 1 << 20


class Fault(NamedTuple):
    """One place in one process and how often it failed."""

    process: str
    pid: int
    where: str  # file:line of the innermost frame
    error: str
    item: str  # that of the first time, in ASCII
    times: int
    at: float  # seconds since the epoch, by this host's clock, of the last line


class _Recorder:
    """The counts of this process."""

    def __init__(self) -> None:
        self.path = ""
        self.process = ""
        self.counts: dict[tuple[str, str], int] = {}
        self.lock = threading.Lock()


_recorder = _Recorder()
log = logging.getLogger("crane.faults")


def keep_in(folder: str, process: str) -> None:
    """Write the counts of this process, under this name, to a file in ``folder`` from now on."""
    _recorder.path, _recorder.process = os.path.join(folder, _NAME), process


def record(doing: str, item: object = "") -> None:
    """Count the exception that is being handled; never raises. ``doing``: what failed; ``item``: on what."""
    with contextlib.suppress(Exception):
        _record(doing, ascii(item) if not isinstance(item, str) else ascii(item)[1:-1])


def _record(doing: str, item: str) -> None:
    error = sys.exc_info()[1]
    where = _place(error)
    key = (where, type(error).__name__)
    with _recorder.lock:
        if key not in _recorder.counts and len(_recorder.counts) >= _MOST_PLACES:
            key = ("elsewhere", "many")
        count = _recorder.counts[key] = _recorder.counts.get(key, 0) + 1
    said = f"{doing} {item[:_ITEM_CHARS]}".rstrip()
    if count == 1:
        log.error("unexpected fault: %s", said, exc_info=error)
    if count & (count - 1) == 0:
        text = f"{type(error).__name__}: {error}"
        _write(Fault(_recorder.process, os.getpid(), key[0], ascii(text)[1:-1][:_ITEM_CHARS], said, count, time.time()))


def _place(error: BaseException | None) -> str:
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    if not frames:
        return "?"
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}"


def _write(fault: Fault) -> None:
    if not _recorder.path:
        return
    line = json.dumps(fault._asdict()).encode() + b"\n"
    fd = os.open(_recorder.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(fd).st_size < _MOST_BYTES:
            os.write(fd, line)
    finally:
        os.close(fd)


def recorded(folder: str) -> list[Fault]:
    """Return all faults of the processes that write to this folder, each place once with its highest count."""
    found: dict[tuple[str, int, str, str], Fault] = {}
    try:
        with open(os.path.join(folder, _NAME), encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(ValueError, TypeError):
                    value: dict[str, Any] = json.loads(line)
                    fault = Fault(**value)
                    found[fault.process, fault.pid, fault.where, fault.error] = fault
    except OSError:
        return []
    return list(found.values())


def forget(folder: str) -> None:
    """Remove what was recorded in a folder."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, _NAME))
