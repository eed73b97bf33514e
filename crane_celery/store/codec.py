"""Records to text and back: the JSON of model.asjson, and the flat rows that ``lua/read.lua`` answers with.

All text is ASCII (``ensure_ascii``): lone surrogates, which stand for bytes that are no UTF-8, survive, and no value
can hold the separators of ``read.lua``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from crane_celery import faults
from crane_celery.model import checks
from crane_celery.model.asjson import allocation_from_json, node_spec_from_json, spec_from_json
from crane_celery.model.job import Allocation, Element, Job, JobSpec
from crane_celery.model.node import Node, NodeState
from crane_celery.model.states import State

#: fields of the hashes in the order in which rows hold them; a row starts with the record's own id or name
JOB_FIELDS = [
    *("count", "at", "pending", "held", "ready", "dep", "priority"),
    *("began", "ended", "ok", "code", "state", "done", "changes", "again", "until", "judged", "gone", "corr", "dead"),
]
ELEMENT_FIELDS = ["job", "rank", "run", "state", "alloc", "leased", "began", "ended", "code", "reason", "cancelled"]
ELEMENT_FIELDS += ["then", "susp_at", "susp_s", "guests", "memory_deaths"]
NODE_FIELDS = ["spec", "state", "epoch", "heard", "reason", "host", "driver", "version", "boot", "load"]

Record = TypeVar("Record")
_encode = json.JSONEncoder(separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Compact ASCII JSON."""
    return _encode(value)


def rows(text: str) -> Iterable[list[str]]:
    """The rows of one answer of ``read.lua``; missing records are left out there."""
    return (row.split("\x1f") for row in text.split("\x1e")) if text else ()


def readable(decode: Callable[[list[str]], Record], found: Iterable[list[str]]) -> list[Record]:
    """Return the records of these rows; one that cannot be read is counted as a fault, and costs the others nothing."""
    records = []
    for row in found:
        try:
            records.append(decode(row))
        except Exception:
            faults.record(f"a record of the server was passed over: {decode.__name__}", row[0])
    return records


def _number(text: str) -> float:
    return float(text) if text else 0.0


def _words(text: str) -> str:
    """A text that is kept as JSON, "" = none."""
    value = json.loads(text) if text else ""
    if not isinstance(value, str):
        raise checks.BadValue(f"a text cannot be {ascii(value)[:80]}")
    return value


@lru_cache(maxsize=4096)
def _spec(text: str) -> JobSpec:
    """Submissions are often alike, so equal texts are decoded once; a specification never changes."""
    value = json.loads(text)
    checks.check_spec(value)
    return spec_from_json(value)


def job_from_row(row: list[str]) -> Job:
    """A submission from ``[id, spec, *JOB_FIELDS]``. Raises ValueError for one that is not as it must be."""
    id_, spec, count, at, pending, held, ready, dep, priority, began, ended, ok, code, state, done, *more = row
    changes, again, until, judged, gone, corr, dead = more
    job = Job(
        id=int(id_),
        spec=_spec(spec),
        count=int(count),
        submitted_at=float(at),
        pending=pending,
        held=held,
        ready=float(ready),
        dep=dep,
        priority=float(priority),
        began=int(began or 0),
        ended=int(ended or 0),
        ok=int(ok or 0),
        worst_code=int(code or 0),
        worst_state=State(state) if state else None,
        ended_at=_number(done),
        changes=changes,
        again=again,
        until=until,
        judged_at=_number(judged),
        gone=int(gone or 0),
        corr=corr,
        dead=dead,
    )
    checks.check_forms(checks.forms_of(job))
    checks.finite(job.submitted_at, job.ready, job.priority, job.ended_at, job.judged_at)
    return job


@lru_cache(maxsize=4096)
def _allocation(text: str) -> tuple[Allocation, ...]:
    """Runs on one node often hold the same, so equal texts are decoded once."""
    value = json.loads(text)
    checks.check_allocation(value)
    return allocation_from_json(value)


def element_from_row(row: list[str]) -> Element:
    """An element from ``[id, *ELEMENT_FIELDS]``."""
    id_, job, rank, run, state, alloc, leased, began, ended, code, reason, cancelled, *more = row
    then, susp_at, susp_s, guests, memory_deaths = more
    element = Element(
        id=int(id_),
        job=int(job),
        rank=int(rank),
        run=int(run),
        state=State(state),
        allocation=_allocation(alloc),
        leased_at=float(leased),
        began_at=_number(began),
        ended_at=_number(ended),
        code=int(code or 0),
        reason=_words(reason),
        cancelled=cancelled == "1",
        then=then,
        suspended_at=_number(susp_at),
        suspended_s=_number(susp_s),
        guests=guests == "1",
        memory_deaths=int(memory_deaths or 0),
    )
    checks.finite(element.leased_at, element.began_at, element.ended_at, element.suspended_at, element.suspended_s)
    return element


def node_from_row(row: list[str]) -> Node:
    """A node from ``[name, *NODE_FIELDS]``; texts of the node's own are kept as JSON."""
    _, spec, state, epoch, heard, *texts, load = row
    reason, host, driver, version, boot = map(_words, texts)
    value = json.loads(spec)
    checks.check_node_spec(value)
    checks.finite(_number(heard), _number(load))
    return Node(
        spec=node_spec_from_json(value),
        state=NodeState(state),
        epoch=int(epoch),
        heard_at=_number(heard),
        reason=reason,
        host=host,
        driver=driver,
        version=version,
        boot=boot,
        load=float(load or -1),
    )
