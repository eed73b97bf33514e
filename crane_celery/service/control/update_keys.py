"""Define what ``ccontrol update jobid=`` may set: each key with its grammar, and when it may still be set.

Pure: what the cluster offers and the time come in as arguments. A bad value is an error that names key, value and
remedy; all of a request's keys are read before anything is done.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from crane_celery.errors import Denied, InputError, NotFound
from crane_celery.grammar.dependency import parse_dependency
from crane_celery.grammar.duration import format_duration, parse_duration
from crane_celery.grammar.gres import parse_gres
from crane_celery.grammar.memory import parse_memory
from crane_celery.grammar.names import check_entity_name, check_job_name, did_you_mean, instead
from crane_celery.grammar.when import parse_when
from crane_celery.model.fields.table import FIELDS
from crane_celery.model.job import JobSpec
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.service.shared.hosts import known_nodes
from crane_celery.service.submit.accept import BASE_PRIORITY
from crane_celery.service.submit.node_memory import least_whole

MAX_TEXT = 1000
MAX_NUMBER = 10_000_000
#: priorities are shown with one decimal
MAX_PRIORITY = 1e9
_NONE = ("", "none", "(null)", "null", "0")


class Ground(NamedTuple):
    """Record of what a change is read against."""

    #: the specification in force for what is to be changed, or the first of several
    spec: JobSpec
    #: the moment, in the caller's zone
    now: datetime
    nodes: Mapping[str, NodeSpec]
    partitions: Mapping[str, Partition]
    operator: bool


class Change(NamedTuple):
    """Record of what a key sets."""

    fields: Mapping[str, Any]
    #: it says how a job starts, so nothing that has started can be changed by it
    pending_only: bool = False


class _Key(NamedTuple):
    """Record of how a key is read."""

    read: Callable[[str, Ground], Mapping[str, Any]]
    pending_only: bool = False


def read(wanted: Mapping[str, str], ground: Ground) -> dict[str, Change]:
    """Every key with what it sets; ``dependency`` sets the text as typed. Raises InputError, Denied, NotFound."""
    if not wanted:
        raise InputError("nothing to set: write KEY=VALUE, such as timelimit=1:00:00")
    found: dict[str, Change] = {}
    for key, value in wanted.items():
        known = _KEYS.get(key.lower())
        if known is None:
            hint = did_you_mean(key.lower(), _KEYS) or f": there are {', '.join(NAMES)}"
            raise InputError(f"unknown key {key[:60]!r}{hint}")
        if "\0" in value or len(value) > 1 << 20:
            raise InputError(f"{key}: the value must be a text without NUL")
        shown = value[:60] if value.isprintable() else ascii(value[:60])
        try:
            found[key.lower()] = Change(known.read(value, ground), known.pending_only)
        except (InputError, NotFound, Denied) as error:
            raise type(error)(f"{key}={shown}: {error.message}") from None
    return found


# -- one reader for each key ------------------------------------------------------------------------------------------


def _time_limit(text: str, ground: Ground) -> Mapping[str, Any]:
    """A span, or ``+span`` and ``-span`` of what is in force."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    limit = parse_duration(text[len(sign) :]) or None
    if sign:
        limit = _moved(ground.spec.time_limit, limit, sign)
    return {"time_limit": limit}


def _moved(limit: int | None, by: int | None, sign: str) -> int:
    if limit is None or by is None:
        raise InputError("there is no limit to add to or take from: write the whole limit")
    moved = limit + by if sign == "+" else limit - by
    if moved <= 0:
        raise InputError(f"nothing would be left of {format_duration(limit)}: write a limit above 0")
    return moved


def _priority(text: str, ground: Ground) -> Mapping[str, Any]:
    """A number with one decimal; 0 = the usual one."""
    try:
        value = round(float(text), 1) if text.isascii() else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_PRIORITY:
        raise InputError(f"not a number from 0 to {MAX_PRIORITY:.0f}: write 0 for the usual priority")
    value = value or BASE_PRIORITY
    if value > BASE_PRIORITY and not ground.operator:
        raise Denied(f"only operators raise a priority above the usual {BASE_PRIORITY:.0f}: write less, or use top")
    return {"priority": int(value) if value == int(value) else value}


def _text(name: str) -> Callable[[str, Ground], Mapping[str, Any]]:
    def reader(text: str, _ground: Ground) -> Mapping[str, Any]:
        if len(text) > MAX_TEXT:
            raise InputError(f"longer than {MAX_TEXT} characters")
        return {name: text}

    return reader


def _checked(name: str, check: Callable[[str], str]) -> Callable[[str, Ground], Mapping[str, Any]]:
    return lambda text, _ground: {name: check(text)}


def _job_name(text: str, _ground: Ground) -> Mapping[str, Any]:
    if not text.strip():
        raise InputError("a job needs a name: write one")
    return {"name": check_job_name(text)}


def _extra(name: str) -> Callable[[str, Ground], Mapping[str, Any]]:
    """Part of ``JobSpec.extra``: joined with what stands there by ``merged``."""
    plain = _text(name)
    return lambda text, ground: {"extra": plain(text, ground)}


def _moment(name: str, future: bool) -> Callable[[str, Ground], Mapping[str, Any]]:
    def reader(text: str, ground: Ground) -> Mapping[str, Any]:
        if text.lower() in _NONE:
            return {name: 0.0}
        at = parse_when(text, ground.now).timestamp()
        if future and at <= ground.now.timestamp():
            raise InputError("that time is past: write a later one, or none")
        return {name: round(at, 3)}

    return reader


def _dependency(text: str, _ground: Ground) -> Mapping[str, Any]:
    if text.lower() in _NONE:
        return {"dependency": ""}
    parse_dependency(text)
    return {"dependency": text}


def _nodes(text: str, ground: Ground) -> Mapping[str, Any]:
    """A number of nodes; there are as many tasks as nodes at least."""
    found = _number("nodes")(text, ground)
    return found if ground.spec.ntasks >= found["nodes"] else {**found, "ntasks": found["nodes"]}


def _number(name: str, low: int = 1) -> Callable[[str, Ground], Mapping[str, Any]]:
    def reader(text: str, _ground: Ground) -> Mapping[str, Any]:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= MAX_NUMBER):
            raise InputError(f"not a whole number from {low} to {MAX_NUMBER}")
        return {name: int(text)}

    return reader


def _cpus(text: str, _ground: Ground) -> Mapping[str, Any]:
    try:
        value = float(text) if text.isascii() else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_NUMBER:
        raise InputError("not a number of CPUs above 0")
    return {"cpus_per_task": value}


def _memory(text: str, ground: Ground) -> Mapping[str, Any]:
    """Bytes on each node; 0 = all of it."""
    size = parse_memory(text)
    partition = ground.partitions.get(ground.spec.partition)
    if not size and partition:
        return {"memory": least_whole(ground.spec.cpus_per_node, partition, ground.nodes), "whole_memory": True}
    return {"memory": max(size, 1), "whole_memory": False}


def _throttle(text: str, ground: Ground) -> Mapping[str, Any]:
    if not ground.spec.array:
        raise InputError("this job is no array: there is nothing to limit")
    return _number("throttle", 0)(text, ground)


def _partition(text: str, ground: Ground) -> Mapping[str, Any]:
    if text not in ground.partitions:
        raise NotFound(f"no such partition{instead(text, ground.partitions, 'cinfo')}")
    return {"partition": text}


def _hosts(name: str) -> Callable[[str, Ground], Mapping[str, Any]]:
    def reader(text: str, ground: Ground) -> Mapping[str, Any]:
        return {name: [] if text.lower() in _NONE else known_nodes((text,), ground.nodes)}

    return reader


def _gres(text: str, _ground: Ground) -> Mapping[str, Any]:
    found = {} if text.lower() in _NONE else parse_gres(text)
    return {"gres": {":".join(filter(None, key)): count for key, count in found.items()}}


def _yes(text: str) -> bool:
    lower = text.lower()
    if lower not in ("yes", "no", "1", "0", "true", "false"):
        raise InputError("write yes or no")
    return lower in ("yes", "1", "true")


def _requeue(text: str, _ground: Ground) -> Mapping[str, Any]:
    return {"requeue": "failure" if _yes(text) else "never"}


def _flag(name: str) -> Callable[[str, Ground], Mapping[str, Any]]:
    return lambda text, _ground: {name: _yes(text)}


def _kill_invalid(text: str, _ground: Ground) -> Mapping[str, Any]:
    return {"kill_on_invalid_dep": "yes" if _yes(text) else "no"}


#: how the value of each row of the table is read that may be changed
_READERS: dict[str, Callable[[str, Ground], Mapping[str, Any]]] = {
    "time": _time_limit,
    "priority": _priority,
    "deadline": _moment("deadline", True),
    "begin": _moment("begin", False),
    "dependency": _dependency,
    "throttle": _throttle,
    "job_name": _job_name,
    "comment": _text("comment"),
    "wckey": _text("wckey"),
    "account": _checked("account", check_entity_name),
    "qos": _checked("qos", lambda text: check_entity_name(text, "QoS")),
    "mail_type": _extra("mail_type"),
    "mail_user": _extra("mail_user"),
    "partition": _partition,
    "nodelist": _hosts("nodelist"),
    "exclude": _hosts("exclude"),
    "nodes": _nodes,
    "ntasks": _number("ntasks"),
    "ntasks_per_node": _number("ntasks_per_node", 0),
    "cpus_per_task": _cpus,
    "mem": _memory,
    "gres": _gres,
    "exclusive": _flag("exclusive"),
    "requeue": _requeue,
    "kill_on_invalid_dep": _kill_invalid,
    "array_max_fails": _number("max_fails", 0),
}
_CHANGES = [(field.key, field.change) for field in FIELDS if field.change]
_KEYS = {name: _Key(_READERS[key], change.pending_only) for key, change in _CHANGES for name in change.keys.split()}
#: the first name of each key; others are Slurm's
NAMES = tuple(change.keys.split()[0] for _, change in _CHANGES)
