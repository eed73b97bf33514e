"""Checks of records that come in as JSON from the server or the leader: types, finite numbers, bounds, texts of ranges.

Only daemons write these records. But a value of another type that is taken in is found much later, where it costs all
others too: in a sorted list, on a clock, in an account of slots. So a record is checked once, where it comes in, and
one that is not as it must be costs itself only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple, fields
from typing import Any, get_type_hints

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.dependency import KINDS
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import dependency, overrides, tagged
from crane_celery.model.job import Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.states import State

Check = Callable[[Any], bool]
#: slots of one resource on a node, and the number of a slot
MAX_SLOTS = 1 << 16
#: nodes of a job, and tasks of it: lists of that length are made of them
MAX_COUNT = 1 << 20
#: elements of an array, and progressions of its indexes
_MOST_ELEMENTS, _MOST_RUNS = 1 << 31, 1 << 20
_MOST_WHOLE, _MOST_REAL = 1 << 63, 1e15


class BadValue(ValueError):
    """A record, or an event, that is not what its writer can have meant; the text names the field."""


def text(value: Any) -> bool:
    """Return whether it is a text."""
    return type(value) is str


def whole(value: Any) -> bool:
    """Return whether it is a whole number that 64 bits hold."""
    return type(value) is int and -_MOST_WHOLE <= value < _MOST_WHOLE


def real(value: Any) -> bool:
    """Return whether it is a finite number of a size that times, shares and counts have."""
    return type(value) in (int, float) and -_MOST_REAL <= value <= _MOST_REAL


def flag(value: Any) -> bool:
    """Return whether it is true or false."""
    return type(value) is bool


def size(value: Any) -> bool:
    """Return whether it is a number of slots."""
    return type(value) is int and 0 <= value <= MAX_SLOTS


def list_of(check: Check) -> Check:
    """Return a check of lists; an empty object counts as one, since the server's scripts cannot tell them apart."""
    return lambda value: value == {} or (isinstance(value, list | tuple) and all(map(check, value)))


def map_of(check: Check) -> Check:
    """Return a check of objects."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def none_or(check: Check) -> Check:
    """Return a check that takes None, too."""
    return lambda value: value is None or check(value)


def _one_of(names: Collection[str]) -> Check:
    return lambda value: isinstance(value, str) and value in names


_BY_TYPE: dict[Any, Check] = {
    str: text,
    int: whole,
    float: real,
    bool: flag,
    int | None: none_or(whole),
    State: _one_of(frozenset(State)),
    State | None: none_or(_one_of(frozenset(State))),
    NodeState: _one_of(frozenset(NodeState)),
    tuple[str, ...]: list_of(text),
    dict[str, int]: map_of(size),
    dict[str, str]: map_of(text),
    dict[str, list[str]]: map_of(list_of(text)),
}


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """Return a check whether a text can be read."""
    return _parses_to(lambda value: parse(value) is not None)


def _parses_to(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return the same check, which says no to what cannot be read at all, whatever is raised then."""

    def guarded(value: str) -> bool:
        try:
            return check(value)
        except Exception:
            return False

    return guarded


def _indexes(value: Any) -> bool:
    """Return whether it is empty, or the text of an array's indexes with as few runs as one can be submitted with."""
    return value == "" or (text(value) and _readable(value))


_readable = _parses(lambda value: IndexSet.parse(value, max_count=_MOST_ELEMENTS, max_runs=_MOST_RUNS))


def _tags(value: str) -> bool:
    return all(real(number) for _, number in tagged.decode(value))


def _changes(value: str) -> bool:
    return all(changed(held) for _, held in overrides.decode(value))


_BLOCK: tuple[Check, ...] = (text, whole, whole, whole, real, text, real, _indexes, _indexes, flag)


def _blocks(value: str) -> bool:
    dep = dependency.decode(value)
    known = all(block.kind in KINDS for group in dep.groups for block in group)
    rows = (astuple(block) for group in dep.groups for block in group)
    return (
        known and flag(dep.any_of) and all(check(each) for row in rows for check, each in zip(_BLOCK, row, strict=True))
    )


_RANGES = _parses(RangeSet.parse)
#: fields of a submission that hold a text of their own form
_FORMS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("pending", "held", "corr", "dead"), lambda value: value == "0" or _RANGES(value)),
    "dep": _parses_to(_blocks),
    "changes": _parses_to(_changes),
    "again": _parses_to(_tags),
    "until": _parses_to(_tags),
}


def _checks(cls: type, **more: Check) -> dict[str, Check]:
    types = get_type_hints(cls)
    return {each.name: more.get(each.name) or _BY_TYPE[types[each.name]] for each in fields(cls)}


def _check(what: str, checks: Mapping[str, Check], value: Any) -> None:
    """Check the fields that are there; those that are not known pass. Raises BadValue."""
    if not isinstance(value, dict):
        raise BadValue(f"{what} must be an object")
    if wrong := _wrong(checks, value):
        raise BadValue(f"{wrong} of {what} cannot be {ascii(value[wrong])[:80]}")


def _wrong(checks: Mapping[str, Check], value: Mapping[str, Any]) -> str:
    """Return the name of the first field that is not as it must be, "" = none."""
    return next((name for name, held in value.items() if name in checks and not checks[name](held)), "")


def passes(check: Callable[[Any], None]) -> Check:
    """Return the same as a check that says yes, or raises what it raises."""

    def said(value: Any) -> bool:
        check(value)
        return True

    return said


def _count(value: Any) -> bool:
    """Return whether it is a number of nodes or tasks that a submission may have."""
    return type(value) is int and 0 <= value <= MAX_COUNT


# ``top`` puts a job between two priorities, so that of a part may be a fraction
_SPEC = _checks(JobSpec, priority=real, array=_indexes, nodes=_count, ntasks=_count, ntasks_per_node=_count)
_NODE_SPEC = _checks(NodeSpec)


def check_spec(value: Any) -> None:
    """Check a job's specification (asjson.spec_to_json). Raises BadValue."""
    _check("a specification", _SPEC, value)


def check_node_spec(value: Any) -> None:
    """Check a node as configured. Raises BadValue."""
    _check("a node's configuration", _NODE_SPEC, value)


_JOB = _checks(Job, spec=passes(check_spec), **dict.fromkeys(_FORMS, text))
_NODE = _checks(Node, spec=passes(check_node_spec))
_STEP = _checks(StepRow)


def check_job(value: Any) -> None:
    """Check a submission (asjson.job_to_json). Raises BadValue."""
    _check("a submission", _JOB, value)
    check_forms({name: value[name] for name in _FORMS if name in value})


def check_forms(texts: Mapping[str, str]) -> None:
    """Check these fields of a submission, each of a form of its own. Raises BadValue."""
    for name, held in texts.items():
        if held and not _FORMS[name](held):
            raise BadValue(f"{name} of a submission cannot be read: {ascii(held)[:80]}")


def form(name: str) -> Check:
    """Return a check of one of these fields."""
    read = _FORMS[name]
    return lambda value: value == "" or (text(value) and read(value))


def changed(value: Any) -> bool:
    """Return whether it is an object of fields of a specification."""
    return isinstance(value, dict) and value.keys() <= overrides.CHANGEABLE and not _wrong(_SPEC, value)


def forms_of(job: Job) -> dict[str, str]:
    """Return those fields."""
    return {name: getattr(job, name) for name in _FORMS}


def check_node(value: Any) -> None:
    """Check a node (asjson.node_to_json). Raises BadValue."""
    _check("a node", _NODE, value)


def check_step(value: Any) -> None:
    """Check a step (asjson.step_to_json). Raises BadValue."""
    _check("a step", _STEP, value)


_SLOTS = map_of(list_of(lambda value: type(value) is int and 0 <= value < MAX_SLOTS))


def allocation(value: Any) -> bool:
    """Return whether it is what a run holds: ``[[node, cpus, memory, {gres: [slots]}], ...]``, one at least."""
    return isinstance(value, list) and bool(value) and all(map(_part, value))


def check_allocation(value: Any) -> None:
    """Check what a run holds. Raises BadValue."""
    if not allocation(value):
        raise BadValue(f"an allocation cannot be {ascii(value)[:80]}")


def _part(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    node, cpus, memory, gres = value
    return text(node) and real(cpus) and whole(memory) and (gres == {} or _SLOTS(gres))


def finite(*values: float) -> None:
    """Check times and shares of a row of texts. Raises BadValue."""
    if not all(map(math.isfinite, values)):
        raise BadValue("a number is not finite")
