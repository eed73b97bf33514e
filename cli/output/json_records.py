"""Jobs as ``--json`` shows them: JobInfo's field names, times as RFC 3339, spans as ``3600s``, 64-bit sizes as text
(reference/cranesched.md section 0.4)."""

from __future__ import annotations

import time
from functools import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


#: characters of indexes that are repeated row by row
_LONG = 4096


def rfc3339(at: float) -> str | None:
    """A moment in UTC, None for none; with 3 or 6 decimals where it has them, as protobuf's JSON writes it."""
    if not at:
        return None
    seconds, micros = divmod(round(at * 1e6), 1_000_000)
    decimals = f".{micros:06}".removesuffix("000") if micros else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{decimals}Z"


#: how a value is written, by the names of the table; "" = as it is
_FORMS: dict[str, Callable[[Any], Any]] = {
    "": lambda value: value,
    "span": lambda seconds: None if seconds is None else f"{int(seconds)}s",
    "some_span": lambda seconds: f"{int(seconds)}s" if seconds else None,
    "moment": rfc3339,
    "flag": bool,
    "count": lambda number: number or 0,
}


@cache
def _plain() -> list[tuple[str, str, Callable[[Any], Any]]]:
    """Return key, name and form of each field that stands for itself."""
    from crane_celery.model.fields.known import KNOWN
    from crane_celery.model.fields.options import OPTIONS

    named = [(field.key, *field.json.partition(":")) for field in (*KNOWN, *OPTIONS) if field.json]
    return [(key, name, _FORMS[form]) for key, name, _, form in named]


def job_info(row: dict[str, Any]) -> dict[str, Any]:
    """One row; fields without a value are left out."""
    info: dict[str, Any] = {name: form(row.get(key)) for key, name, form in _plain()}
    return {key: value for key, value in {**info, **_of_several(row)}.items() if value is not None}


def _of_several(row: dict[str, Any]) -> dict[str, Any]:
    """Return what JobInfo makes of several fields, or calls otherwise as long as it waits."""
    from cli.output.cells import hosts

    pending = row["state"] == "Pending"
    info: dict[str, Any] = {
        "extra_attr": {"comment": row["comment"]} if row["comment"] else None,
        "licenses_count": row["licenses"] or None,
        "requeue_count": max(0, row["run"] - 1),
        "requeue_if_failed": row["requeue"] == "failure",
        "req_total_res_view": {
            "cpu_count": row["req_cpus"],
            "memory_bytes": str(row["req_memory"] * row["nodes"]),
            "gres_map": gres_map(row["gres"], row["nodes"]),
        },
        "pending_reason": row["reason"] if pending else None,
        "craned_list": None if pending else hosts(row["nodelist"]),
        "execution_node": row["nodelist"][0] if row["nodelist"] else None,
    }
    if not pending:
        info["allocated_res_view"] = {"cpu_count": row["alloc_cpus"], "memory_bytes": str(row["alloc_memory"])}
    if row["array"]:
        info["array_spec"] = {**array_spec(row["array"]), "max_concurrent": row["throttle"]}
        info["array_task"] = {"array_job_id": row["job"], "task_id": row["index"], "task_ids": row.get("indexes", "")}
    if row["depends"]:
        info["dependency_status"] = {**conditions(row["depends"]), **(row.get("dependency") or {})}
    if row["deadline"]:
        info["deadline_time"] = rfc3339(row["deadline"])
    return info


def elements(rows: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """A row for each element of those that share one, up to ``limit``."""
    from itertools import islice

    def apart() -> Iterator[dict[str, Any]]:
        from crane_celery.grammar.array import IndexSet
        from crane_celery.grammar.ranges import RangeSet

        for row in rows:
            if row["count"] == 1:
                yield row
                continue
            for index, rank in zip(IndexSet.parse(row["indexes"]), RangeSet.parse(row["ranks"]), strict=True):
                own = {"id": row["job"] + rank, "jobid": f"{row['job']}_{index}"}
                yield {**row, **own, "index": index, "indexes": str(index)}

    return list(islice(apart(), limit))


def gres_map(asked: dict[str, int], nodes: int) -> dict[str, Any]:
    """``gpu:a100`` and ``gpu`` by name, over all nodes."""
    found: dict[str, Any] = {}
    for key, count in asked.items():
        name, _, kind = key.partition(":")
        entry = found.setdefault(name, {"total": "0", "specified": {}})
        if kind:
            entry["specified"][kind] = str(count * nodes)
        else:
            entry["total"] = str(count * nodes)
    return found


@cache
def array_spec(text: str) -> dict[str, Any]:
    """The bounds of an index set, and all of it as text: not every set is one progression. A very long text is left
    out: it would stand in the row of each element."""
    from crane_celery.grammar.array import IndexSet

    indexes = IndexSet.parse(text)
    known = {"indexes": text} if len(text) <= _LONG else {}
    return {"start": indexes.first, "end": indexes.last, "stride": indexes.step, **known}


def conditions(text: str) -> dict[str, Any]:
    """A dependency as typed, and each of its conditions."""
    from crane_celery.grammar.dependency import parse_dependency

    parsed = parse_dependency(text)
    terms = [term for clause in parsed.clauses for term in clause.terms]
    pending = [
        {"job_id": term.job, **({"task_ids": term.part} if term.part else {}), "type": term.kind}
        | {"delay_seconds": term.delay}
        for term in terms
    ]
    return {"typed": text, "is_or": parsed.any_of, "pending": pending}


def step_info(row: dict[str, Any]) -> dict[str, Any]:
    """One step under StepInfo's field names; fields without a value are left out."""
    from cli.output.cells import hosts

    info: dict[str, Any] = {
        "type": "Batch",
        "step_type": row["type"],
        "job_id": row.get("id"),
        "jobid": row.get("jobid"),
        "step_id": row["step"],
        "stepid": row["stepid"],
        "name": row["name"],
        "uid": row.get("uid"),
        "time_limit": None if row.get("time_limit") is None else f"{row['time_limit']}s",
        "start_time": rfc3339(row["began_at"]),
        "end_time": rfc3339(row["ended_at"]),
        "elapsed_time": None if row.get("elapsed") is None else f"{int(row['elapsed'])}s",
        "node_num": len(row["nodelist"]),
        "ntasks": row["ntasks"],
        "cmd_line": row["command"],
        "status": row["state"],
        "exit_code": row["code"],
        "memory_deaths": row.get("memory_deaths", 0),
        "craned_list": hosts(row["nodelist"]),
        "execution_node": row["nodelist"][0] if row["nodelist"] else None,
        "allocated_res_view": {"cpu_count": row["alloc_cpus"], "memory_bytes": str(row["alloc_memory"])},
    }
    return {key: value for key, value in info.items() if value is not None}
