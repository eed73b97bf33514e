"""Decode the frames that users send to the shepherd, checked field by field. Standard library only.

Everything that another process sends is foreign: a number may be NaN, a text half a surrogate, a list a text. Behind
this door values have their types and bounds, so that nothing after it has to ask again. Names the field and what it
must be.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

#: tasks of a step on a node; bytes of arguments and environment together (the kernel takes less); items of either
MAX_TASKS = 256
_MOST_TEXT = 16 << 20
_MOST_ITEMS = 200_000
_NAME = 255
#: seconds: longer than any job lives; a wait of that length is cut into shorter ones
MAX_SPAN_S = 100 * 365 * 86400.0
_MAX_ID = (1 << 63) - 1
MAX_MEMORY = 1 << 60
MAX_CPUS = 1e6
_MAX_SIGNAL = 64


class Malformed(ValueError):
    """A field that is not what it must be; the text names it."""


def whole(value: object, what: str, low: int = 0, high: int = _MAX_ID) -> int:
    """Return a whole number within bounds. Raises Malformed."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Malformed(f"{what} must be a whole number from {low} to {high}")
    return value


def real(value: object, what: str, low: float, high: float) -> float:
    """Return a finite number within bounds. Raises Malformed."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise Malformed(f"{what} must be a number from {low:g} to {high:g}")
    return float(value)


def text(value: object, what: str, most: int = _MOST_TEXT) -> str:
    """Return a text that the kernel can be given: no NUL, every lone surrogate one that os.fsdecode makes."""
    if not isinstance(value, str) or len(value) > most:
        raise Malformed(f"{what} must be a text of at most {most} characters")
    if "\0" in value:
        raise Malformed(f"{what} holds a NUL character")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Malformed(f"{what} holds a character that stands for no byte (a lone surrogate)") from None
    return value


def texts(value: object, what: str) -> list[str]:
    """Return a list of texts, at least one. Raises Malformed."""
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_ITEMS:
        raise Malformed(f"{what} must be a list of 1 to {_MOST_ITEMS} texts")
    return [text(each, f"each of {what}") for each in value]


def variables(value: object, what: str) -> dict[str, str]:
    """Return an environment: names without ``=``, and texts. Raises Malformed."""
    if not isinstance(value, dict) or len(value) > _MOST_ITEMS:
        raise Malformed(f"{what} must be an object of at most {_MOST_ITEMS} texts")
    for name in value:
        if not text(name, f"a name in {what}") or "=" in name:
            raise Malformed(f"{what} holds a name that is empty or has an equals sign")
    return {name: text(each, f"{what}'s {name[:60]!a}") for name, each in value.items()}


def _path(value: object, what: str) -> str:
    if not text(value, what, 1 << 16).startswith("/"):
        raise Malformed(f"{what} must be an absolute path")
    return str(value)


def _span(value: object, what: str) -> float:
    """Seconds, 0 for none."""
    return 0.0 if value is None else real(value, what, 0.0, MAX_SPAN_S)


def _slots(value: object, what: str) -> list[int]:
    if not isinstance(value, list) or len(value) > 3 * MAX_TASKS:
        raise Malformed(f"{what} must be a list of at most {3 * MAX_TASKS} numbers")
    return [whole(each, f"each of {what}", 0, 3 * MAX_TASKS) for each in value]


class StepRequest(NamedTuple):
    """Record of what crun asks: a step of a job, with its descriptors (``fds`` of them; three of ``io`` for each
    task)."""

    job: int
    argv: list[str]
    env: dict[str, str]
    cwd: str
    umask: int
    ntasks: int
    cpus: float  # of each task
    memory: int  # bytes, of the step
    limit: float  # seconds, 0 = none
    name: str
    fds: int
    io: list[int]


class AttachRequest(NamedTuple):
    """Record of what crun asks of a shepherd that was restarted: how its step goes."""

    job: int
    run: int
    step: int


#: reader of each field
_STEP: dict[str, Callable[[object, str], Any]] = {
    "job": whole,
    "argv": texts,
    "env": variables,
    "cwd": _path,
    "umask": lambda value, what: whole(value, what, 0, 0o777),
    "ntasks": lambda value, what: whole(value, what, 1, MAX_TASKS),
    "cpus": lambda value, what: real(value, what, 1e-6, MAX_CPUS),
    "memory": lambda value, what: whole(value, what, 0, MAX_MEMORY),
    "limit": _span,
    "name": lambda value, what: text(value, what, 1 << 16)[:_NAME],
    "fds": lambda value, what: whole(value, what, 0, 3 * MAX_TASKS),
    "io": _slots,
}
_ATTACH: dict[str, Callable[[object, str], Any]] = {"job": whole, "run": whole, "step": whole}


def _fields(message: dict[str, Any], table: dict[str, Callable[[object, str], Any]]) -> dict[str, Any]:
    unknown = sorted(message.keys() - table.keys() - {"op"})
    if unknown:
        raise Malformed(f"unknown field {unknown[0][:60]!a}: known are {', '.join(table)}")
    missing = [name for name in table if name not in message]
    if missing:
        raise Malformed(f"field {missing[0]} is missing")
    return {name: read(message[name], name) for name, read in table.items()}


def step_request(message: dict[str, Any]) -> StepRequest:
    """Read a request for a step. Raises Malformed."""
    asked = StepRequest(**_fields(message, _STEP))
    if len(asked.io) != 3 * asked.ntasks or any(at >= asked.fds for at in asked.io):
        raise Malformed("each task has an input, an output and an error output among the descriptors sent")
    if not math.isfinite(asked.ntasks * asked.cpus):
        raise Malformed("the step's CPUs are no number")
    return asked


def attach_request(message: dict[str, Any]) -> AttachRequest:
    """Read a request for news of a step. Raises Malformed."""
    return AttachRequest(**_fields(message, _ATTACH))


def signal_number(message: dict[str, Any]) -> int:
    """Read which signal to pass on. Raises Malformed."""
    number: int = _fields(message, {"sig": lambda value, what: whole(value, what, 1, _MAX_SIGNAL)})["sig"]
    return number


def numbers(value: object, what: str) -> list[int]:
    """Return a list of whole numbers. Raises Malformed."""
    if not isinstance(value, list):
        raise Malformed(f"{what} must be a list of numbers")
    return [whole(each, f"each of {what}") for each in value]


def warnings(value: object, what: str) -> list[Any]:
    """Return signals before a limit: [signal, seconds before it, scope] each. Raises Malformed."""
    if not isinstance(value, list) or not all(isinstance(each, list) and len(each) == 3 for each in value):
        raise Malformed(f"{what} must be a list of triples")
    for number, before, _ in value:
        whole(number, f"a signal of {what}", 1, _MAX_SIGNAL)
        real(before, f"a time of {what}", 0.0, MAX_SPAN_S)
    return value


def hooks(value: object, what: str) -> dict[str, Any]:
    """Return the programs around a run and what they are told; {} for none. Raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} must be an object")
    for name in value:
        reader = _HOOKS.get(name)
        if reader is None:
            raise Malformed(f"{what} has an unknown field {str(name)[:60]!a}")
        reader(value[name], f"{name} of {what}")
    return value


_HOOKS: dict[str, Callable[[object, str], Any]] = {
    **dict.fromkeys(("prolog", "epilog", "task_prolog", "task_epilog"), text),
    **dict.fromkeys(("prolog_s", "epilog_s"), lambda value, what: real(value, what, 0.0, MAX_SPAN_S)),
    "env": variables,
    "place": whole,
}
_TEMPLATE: dict[str, Callable[[object, str], Any]] = {
    "uid": whole,
    "gid": whole,
    "groups": numbers,
    "argv": texts,
    "env": variables,
    "cwd": _path,
    "umask": _STEP["umask"],
    "cpus": lambda value, what: real(value, what, 0.0, MAX_CPUS),
    "memory": _STEP["memory"],
    "pids": lambda value, what: whole(value, what, 0, 1 << 22),
    "limit": _span,
    "deadline": lambda value, what: real(value, what, -1e15, 1e15),
    "warn": warnings,
    "grace": lambda value, what: real(value, what, 0.0, MAX_SPAN_S),
}


def check_template(job: object) -> None:
    """Check what the runs of one job share in a launch frame of the agent. Raises Malformed."""
    if not isinstance(job, dict):
        raise Malformed("a job must be an object")
    hooks(job.get("hooks") or {}, "hooks")
    for name, read in _TEMPLATE.items():
        if name not in job:
            raise Malformed(f"field {name} is missing")
        read(job[name], name)


def run_key(row: object) -> tuple[int, int]:
    """Return which run a row of a launch frame is about. Raises Malformed."""
    if not isinstance(row, list) or len(row) < 2:
        raise Malformed("a run must be a list")
    return whole(row[0], "a run's job"), whole(row[1], "a run's number")


def check_row(row: list[Any]) -> None:
    """Check a run of a launch frame: [job, run, template, environment, paths, device files]. Raises Malformed."""
    if not 5 <= len(row) <= 6:
        raise Malformed("a run must have five or six fields")
    text(row[2], "a run's template")
    variables(row[3], "a run's environment")
    if not isinstance(row[4], list) or len(row[4]) != 3:
        raise Malformed("a run's paths must be three texts")
    for path in row[4]:
        text(path, "a run's path", 1 << 16)
