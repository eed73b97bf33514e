"""Columns of jobs as the table of job fields has them, for ``cqueue`` and ``cacct``."""

from __future__ import annotations

from cli.output import cells
from cli.output.render import Column
from cli.output.table import Text
from crane_celery.model.fields.known import KNOWN
from crane_celery.model.fields.options import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from crane_celery.model.fields.row import Shown

#: cells that are made of the value of their field, by the names of the table
_OF_VALUE: dict[str, Callable[[Any], str]] = {
    "or_dash": lambda value: value or "-",
    "or_na": lambda value: value or "N/A",
    "or_null": lambda value: value or "(null)",
    "or_nothing": lambda value: "" if value is None else str(value),
    "when": cells.when,
    "when_or_na": lambda at: cells.when(at) if at else "N/A",
    "duration": cells.duration,
    "cpus": cells.cpus,
    "memory": cells.memory,
    "memory_or_dash": lambda size: cells.memory(size) if size else "-",
    "seconds_or_dash": lambda seconds: "-" if seconds is None else f"{seconds:.2f}",
    "yes": cells.yes,
    "hosts_or_none": cells.hosts_or_none,
}
#: cells that are made of a row, with the keys that they look at
_OF_ROW: dict[str, tuple[Callable[[Any], str], tuple[str, ...]]] = {
    "elapsed": (cells.elapsed, ("elapsed",)),
    "where_or_why": (cells.where_or_why, ("state", "reason", "nodelist")),
    "priority": (lambda row: "0" if row["held"] else cells.cpus(row["priority"]), ("priority", "held")),
    "cpus_per_task": (lambda row: cells.cpus(row["req_cpus"] / max(1, row["ntasks"])), ("req_cpus", "ntasks")),
    "held": (lambda row: cells.yes(row.get("held")), ("held",)),
    "kind": (lambda row: row.get("type") or row["kind"], ("type", "kind")),
    "array_job": (lambda row: str(row["job"]) if row["array"] else "", ("job", "array")),
    "array_spec": (cells.array_spec, ("array", "throttle")),
    "exit_code": (cells.exit_code, ("code",)),
}


def live() -> dict[str, Column]:
    """The columns of ``cqueue`` by letters and long names."""
    return _named((field.key, field.queue) for field in (*OPTIONS, *KNOWN))


def past() -> dict[str, Column]:
    """The columns of ``cacct`` by letters and long names."""
    return _named((field.key, field.past) for field in (*OPTIONS, *KNOWN))


def _named(shown: Iterable[tuple[str, Shown | None]]) -> dict[str, Column]:
    made: dict[str, Column] = {}
    for key, each in shown:
        if each:
            column = _column(key, each)
            made |= dict.fromkeys([*filter(None, [each.letter]), *each.also.split()], column)
    return made


def _column(key: str, shown: Shown) -> Column:
    if shown.cell in _OF_ROW:
        return Column(shown.header, *_OF_ROW[shown.cell])
    if shown.cell in ("text", "id"):
        return Column(shown.header, Text(key), (key,), shown.cell == "id")
    show = _OF_VALUE[shown.cell]
    return Column(shown.header, lambda row: show(row[key]), (key,))
