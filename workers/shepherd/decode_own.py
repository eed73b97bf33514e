"""Define what the node's own daemons write, read again: reports of spawners, lines of journals. Standard library only.

Nobody but us writes these, but a full disk tears lines, a user may have a spawner end at any moment, and a file may be
damaged: so a row has its types and bounds, or costs itself and nothing else.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from crane_celery.wire.node import SpawnerEvent, event
from workers.shepherd.decode import MAX_CPUS, MAX_MEMORY, MAX_SPAN_S, Malformed, real, whole
from workers.shepherd.decode import hooks as _hooks
from workers.shepherd.decode import numbers as _numbers
from workers.shepherd.decode import warnings as _warnings

Reader = Callable[[object, str], Any]
_KEY = re.compile(r"\d{1,18}\.\d{1,18}\.\d{1,9}\.-?\d{1,9}", re.ASCII)
_PEN = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_STAGES = ("", "prolog", "guest", "epilog", "done")
_MAX_PID = 1 << 32


def _text(value: object, what: str) -> str:
    """Any text: what is in it was checked where it came from, or is the kernel's."""
    if not isinstance(value, str):
        raise Malformed(f"{what} must be a text")
    return value


def _key(value: object, what: str) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise Malformed(f"{what} must be job.run.step.task")
    return value


def _pid(value: object, what: str) -> int:
    return whole(value, what, 0, _MAX_PID)


def _status(value: object, what: str) -> int | None:
    return None if value is None else whole(value, what, -_MAX_PID, _MAX_PID)


def _moment(value: object, what: str) -> float:
    return real(value, what, -1e15, 1e15)


def _span(value: object, what: str) -> float:
    return real(value, what, 0.0, MAX_SPAN_S)


def _cpus(value: object, what: str) -> float:
    return real(value, what, 0.0, MAX_CPUS)


def _memory(value: object, what: str) -> int:
    return whole(value, what, 0, MAX_MEMORY)


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{what} must be true or false")
    return value


def _pen(value: object, what: str) -> str:
    if not isinstance(value, str) or not _PEN.fullmatch(value):
        raise Malformed(f"{what} is no name of a group")
    return value


def _step(value: object, what: str) -> int:
    return whole(value, what, 0, 1 << 31)


def _tasks(value: object, what: str) -> int:
    return whole(value, what, 1, 1 << 16)


def _stage(value: object, what: str) -> str:
    if value not in _STAGES:
        raise Malformed(f"{what} is none of {', '.join(_STAGES)}")
    return str(value)


def _killed(value: object, what: str) -> object:
    return None if value is None else fields(value, (_flag, _moment), what)


def fields(row: object, readers: Sequence[Reader], what: str, least: int = -1) -> list[Any]:
    """Check a row against the readers of its fields; ``least``: how many there are at least. Raises Malformed."""
    if not isinstance(row, list | tuple) or not (len(readers) if least < 0 else least) <= len(row) <= len(readers):
        raise Malformed(f"{what} must be a list of {len(readers)} fields")
    return [read(value, f"field {at} of {what}") for at, (value, read) in enumerate(zip(row, readers, strict=False))]


# -- spawners

#: kind -> readers of what follows it
_SPAWNED: dict[str, tuple[Reader, ...]] = {
    "s": (_key, _pid, whole, _moment),
    "f": (_key, _text, whole, _text, _moment),
    "x": (_key, _status, _moment, _moment, _span, _memory),
    "n": (_key,),
}


def spawner_events(message: dict[str, Any]) -> list[SpawnerEvent]:
    """Return what a spawner reports. Raises Malformed."""
    rows = message.get("rows")
    if not isinstance(rows, list):
        raise Malformed("a report must have a list of rows")
    for row in rows:
        if not isinstance(row, list) or not row or not isinstance(row[0], str) or row[0] not in _SPAWNED:
            raise Malformed("a report's row must be one of s, f, x and n")
        fields(row[1:], _SPAWNED[row[0]], f"a row {row[0]}")
    return [event(row) for row in rows]


def spawner_pid(message: dict[str, Any]) -> int:
    """Return who a spawner says it is. Raises Malformed."""
    return _pid(message.get("pid"), "pid")


# -- the shepherd's journal

_RUN: tuple[Reader, ...] = (
    whole, whole, whole, whole, _numbers, _cpus, _memory, _span, _span, _pen, _moment, _warnings, _moment, _span,
    _hooks,
    _numbers, whole, _text,
)  # fmt: skip
_IDS: tuple[Reader, ...] = (whole, whole)
#: how a script ended: status, cause, began, ended, seconds of CPU, bytes, errno, text
_OVER: tuple[Reader, ...] = (_status, _text, _moment, _moment, _span, _memory, whole, _text)
_STATE: tuple[Reader, ...] = (_text, _moment)
#: kind of report -> readers of what follows it; the shepherd itself needs the ids, the agent looks at all of it
_REPORTS: dict[str, tuple[Reader, ...]] = {
    "b": (*_IDS, _moment),
    "e": (*_IDS, *_OVER, whole),
    "m": (*_IDS, *_STATE),
    "d": (_text,),
    "s": (*_IDS, _step, _text, _tasks, _cpus, _memory, _text, *_OVER[:6], _flag, whole, _text, whole),
}


def _report(value: object, what: str) -> object:
    if not isinstance(value, list) or not value or not isinstance(value[0], str) or value[0] not in _REPORTS:
        raise Malformed(f"{what} is no report")
    return fields(value[1:], _REPORTS[value[0]], what, 1 if value[0] == "d" else 2)


#: kind of line -> readers of what follows it, and how many of them there are at least
_LINES: dict[str, tuple[tuple[Reader, ...], int]] = {
    "l": ((lambda value, what: fields(value, _RUN, what, 15),), 1),
    "c": ((*_IDS, _step, _tasks, _cpus, _memory, _text, _text, _span, _span), 8),
    "d": ((*_IDS, _step), 3),
    "k": ((*_IDS, _step, _text, _moment), 5),
    "o": ((*_IDS, _span, _moment, _moment, _span), 6),
    "w": ((*_IDS, _numbers), 3),
    "m": ((*_IDS, whole, _killed, _flag), 5),
    "h": ((*_IDS, _stage, _pid, whole, *_OVER), 5),
    "r": ((whole, _report), 2),
    **dict.fromkeys(("t", "n", "z"), (_IDS, 2)),
    **dict.fromkeys(("a", "q"), ((whole,), 1)),
}


def check_line(line: object) -> None:
    """Check a line of the shepherd's journal; kinds that are not known pass. Raises Malformed."""
    if not isinstance(line, list) or not line or not isinstance(line[0], str):
        raise Malformed("a line must be a list that begins with its kind")
    if line[0] in _LINES:
        readers, least = _LINES[line[0]]
        fields(line[1:], readers, f"a line {line[0]}", least)
