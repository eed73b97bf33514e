"""Checks of events as they come in (model.event says what each kind holds). A kind that is not known passes."""

from __future__ import annotations

from typing import Any

from crane_celery.errors import InputError
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.checks import (
    BadValue,
    Check,
    allocation,
    changed,
    check_job,
    check_node,
    check_step,
    flag,
    form,
    list_of,
    map_of,
    passes,
    real,
    text,
    whole,
)
from crane_celery.model.event import Event
from crane_celery.model.states import State

#: kind of an event that is not as it must be: its data are those it has, and its real "kind". Its readers know by it
#: that they have missed something, and the recorder sets it aside
UNREADABLE = "unreadable"


def _ranks(value: Any) -> bool:
    return text(value) and (value in ("", "0") or RangeSet.parse(value) is not None)


def _state(value: Any) -> bool:
    return text(value) and value in _STATES


def _row(*checks: Check, least: int = 0) -> Check:
    """Return a check of rows with these fields, ``least`` of them at least (0 = all)."""
    most = len(checks)

    def row(value: Any) -> bool:
        if not isinstance(value, list) or not (least or most) <= len(value) <= most:
            return False
        return all(check(each) for check, each in zip(checks, value, strict=False))

    return row


_STATES = frozenset(State)
_IDS = (whole, whole)
#: state, code, began, ended, reason, CPU seconds, bytes, memory deaths, done or held
_END = (*_IDS, whole, whole, _state, whole, real, real, text, real, real)
_old_end, _new_end = _row(*_END, flag), _row(*_END, whole, flag)


def _end(value: Any) -> bool:
    return _new_end(value) or _old_end(value)


_job, _node = passes(check_job), passes(check_node)
#: kind -> fields that must be there; kind -> fields that may be
_MUST: dict[str, dict[str, Check]] = {
    "submit": {"job": _job},
    "judge": {"rows": list_of(_row(whole, real))},
    "hold": {"job": whole, "ranks": _ranks},
    "release": {"job": whole, "ranks": _ranks},
    "cancel": {"job": whole, "ranks": _ranks, "uid": whole, "done": flag},
    "update": {"job": whole, "ranks": _ranks, "set": changed, "changes": form("changes")},
    "depend": {"job": whole, "text": text, "dep": form("dep"), "ready": real, "changes": form("changes")},
    "start": {"rows": list_of(_row(*_IDS, whole, whole, allocation))},
    "begin": {"rows": list_of(_row(*_IDS, whole, real))},
    "end": {"rows": list_of(_end)},
    "again": {"rows": list_of(_end)},
    "revive": {"job": _job, "ranks": _ranks, "held": flag},
    "move": {"rows": list_of(_row(*_IDS, whole, _state, real, whole, least=5))},
    "step": {"rows": list_of(passes(check_step))},
    "kill": {"rows": list_of(_row(*_IDS, text, whole))},
    "order": {"rows": list_of(_row(*_IDS, text, map_of(real)))},
    "kill_step": {"rows": list_of(_row(*_IDS, text, whole, whole))},
    "node": {"node": _node},
    "nudge": {"node": text},
    "lead": {"fence": whole, "holder": text},
    "forget": {"jobs": list_of(whole)},
}
_MAY: dict[str, Check] = {
    "uid": whole, "until": real, "state": _state, "code": whole, "reason": text, "then": text, "requeued": whole,
    "guests": list_of(whole), "deps": list_of(form("dep")), "gates": list_of(_row(form("corr"), form("dead"))),
    "fence": whole,
}  # fmt: skip


def check_event(kind: str, data: Any) -> None:
    """Check an event's data. Raises BadValue, or InputError where a text of ranges cannot be read."""
    if not isinstance(data, dict):
        raise BadValue(f"an event {kind} must hold an object")
    must = _MUST.get(kind, {})
    for name, check in must.items():
        if name not in data or not check(data[name]):
            raise BadValue(f"{name} of an event {kind} cannot be {ascii(data.get(name))[:80]}")
    if kind in _MUST:
        for name, value in data.items():
            if name in _MAY and name not in must and not _MAY[name](value):
                raise BadValue(f"{name} of an event {kind} cannot be {ascii(value)[:80]}")


def sifted(event: Event) -> list[Event]:
    """Return an event that does not pass as what of it does (its good rows) and what does not, as UNREADABLE."""
    data: Any = event.data
    rows = data.get("rows") if isinstance(data, dict) else None
    if not isinstance(rows, list) or event.kind == "judge":  # whose rows have others beside them
        return [_unreadable(event, data if isinstance(data, dict) else {"data": data})]
    good: list[Any] = []
    bad: list[Any] = []
    for row in rows:
        (good if _fine(event.kind, {**data, "rows": [row]}) else bad).append(row)
    fine = [event._replace(data={**data, "rows": good})] if good else []
    return [*fine, _unreadable(event, {**data, "rows": bad})]


def original(event: Event) -> Event:
    """Return the event behind an UNREADABLE one, where this version can read it. Raises BadValue, InputError."""
    data = {**event.data}
    kind = data.pop("kind", "")
    if not kind:
        raise BadValue("an entry of the stream that cannot be read")
    check_event(kind, data)
    return event._replace(kind=kind, data=data)


def _unreadable(event: Event, data: dict[str, Any]) -> Event:
    return event._replace(kind=UNREADABLE, data={**data, "kind": event.kind})


def _fine(kind: str, data: dict[str, Any]) -> bool:
    try:
        check_event(kind, data)
    except (BadValue, InputError):
        return False
    return True
