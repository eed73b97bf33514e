"""Rows of accounting: one shape for what the history holds and for what runs right now. Pure.

========================== ==========================================================================================
key                        value
========================== ==========================================================================================
id, job, run, rank         plain id; id of its submission; attempt (0 = ended before it ran); rank in the array
jobid                      as people see it: ``12``, ``36_1``
index                      array index, None for a plain job
array, throttle            canonical index text of the array ("" = none), at most so many at once (0 = no limit)
name user uid gid partition account qos wckey comment priority time_limit exclusive
                           as submitted; time_limit in seconds or None
nodes ntasks nodelist req_nodelist exclude
                           number of nodes; tasks; where it ran and what was asked for, as lists of names
req_cpus req_memory        asked for: CPUs over all nodes, bytes per node
alloc_cpus alloc_memory    held: CPUs over all nodes, bytes on the first node
state code reason          model.states.State value; stored exit code; why it failed, for people
submitted_at leased_at began_at ended_at
                           server seconds, 0 = not yet (or never)
cpu_s memory_peak          used: CPU seconds, bytes
elapsed                    seconds that it ran, until now if it still does, without those in which it was suspended (the
                           one place where that is worked out is model.job.elapsed); None = it never began
suspended_s                seconds in which it was suspended
memory_deaths              processes killed because memory ran out
command cwd submit_host kind licenses begin deadline requeue gres
                           as submitted; depends: the dependency as typed
again                      of a filed run: 0 = its element's last, 1 = pending again after it, 2 = and held then
steps                      step rows (``step_rows``), absent where not asked for
========================== ==========================================================================================
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.model.fields.table import FIELDS
from crane_celery.model.job import Element, Job, JobSpec, StepRow
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import CODE_MEANING, TERMINATED, State

Row = dict[str, Any]


def job_row(job: Job) -> Row:
    """Return what is true of every element of a submission."""
    spec = job.spec
    return {
        "job": job.id,
        "array": spec.array,
        "throttle": spec.throttle,
        **{name: getattr(spec, name) for name in AS_SUBMITTED},
        "priority": job.priority or spec.priority,
        "depends": spec.dependency,
        "req_nodelist": list(spec.nodelist),
        "exclude": list(spec.exclude),
        "req_cpus": _cpus(spec),
        "req_memory": spec.memory,
        "submitted_at": job.submitted_at,
    }


#: fields of a specification that a row has under the same name
AS_SUBMITTED = tuple(field.key for field in FIELDS if field.in_rows)


def element_row(
    job: Job,
    element: Element,
    *,
    now: float = 0.0,
    cpu_s: float = 0.0,
    memory_peak: int = 0,
    base: Row | None = None,
) -> Row:
    """The row of one run. ``now``: server time, for one that has not ended; ``base`` is ``job_row(job)`` where the
    caller has it already."""
    held = element.allocation
    return {
        **(base or job_row(job)),
        **_identity(job, element.rank),
        "run": element.run,
        "state": str(element.state),
        "code": element.code,
        "reason": element.reason or CODE_MEANING.get(element.code, ""),
        "nodelist": [each.node for each in held],
        "alloc_cpus": sum(each.cpus for each in held),
        "alloc_memory": held[0].memory if held else 0,
        "leased_at": element.leased_at,
        "began_at": element.began_at,
        "ended_at": element.ended_at,
        "elapsed": element.elapsed(now),
        "suspended_s": element.paused(now),
        "cpu_s": cpu_s,
        "memory_peak": memory_peak,
        "memory_deaths": element.memory_deaths,
    }


def in_force(job: Job, rank: int) -> Job:
    """The submission with what was changed for one rank in place of what was submitted."""
    if not job.changes:
        return job
    spec = spec_of(job.spec, job.changes, rank)
    priority = job.priority if spec.priority == job.spec.priority else float(spec.priority)
    return replace(job, spec=spec, priority=priority)


class Gone(NamedTuple):
    """Record of how an element ended that never ran, or was pending again: by a cancel, or by the leader's word."""

    at: float
    state: str = State.CANCELLED.value
    code: int = TERMINATED
    reason: str = ""


def cancelled_row(job: Job, rank: int, gone: Gone, base: Row | None = None) -> Row:
    """The row of an element that ended while it was pending: run 0."""
    never = Element(
        id=job.id + rank,
        job=job.id,
        rank=rank,
        run=0,
        state=State(gone.state),
        allocation=(),
        leased_at=0.0,
        ended_at=gone.at,
        code=gone.code,
        reason=gone.reason or "cancelled while pending",
    )
    return element_row(job, never, base=base)


def step_rows(row: Row, common: Iterable[StepRow]) -> list[Row]:
    """All steps of a run: 0 DAEMON and 1 PRIMARY follow from the run itself, COMMON ones were recorded.

    A run that never began has none. Step 0 holds the resources from the lease on; it ends with its run, Completed
    unless the run never got to its script. Memory deaths that were not in COMMON steps were in the script's.
    """
    if not row["run"]:
        return []
    others = sorted(common, key=_by_number)
    daemon = _derived(row, 0, "DAEMON", row["leased_at"])
    primary = [_derived(row, 1, "PRIMARY", row["began_at"])] if row["began_at"] else []
    for each in primary:
        each["memory_deaths"] = max(0, row["memory_deaths"] - sum(step.memory_deaths for step in others))
    return [daemon, *primary, *(common_step(row, step) for step in others)]


def common_step(row: Row, step: StepRow) -> Row:
    """The row of a COMMON step. It ran no longer than its job did: that it was suspended meanwhile does not count."""
    ran = row["elapsed"] or 0.0
    until = step.ended_at or row["began_at"] + ran
    return {
        "stepid": f"{row['jobid']}.{step.step}",
        "step": step.step,
        "type": "COMMON",
        "name": step.name,
        "state": str(step.state),
        "code": step.code,
        "nodelist": step.node.split(",") if step.node else [],
        "ntasks": step.ntasks,
        "alloc_cpus": step.cpus,
        "alloc_memory": step.memory,
        "command": step.command,
        "began_at": step.began_at,
        "ended_at": step.ended_at,
        "elapsed": min(max(0.0, until - step.began_at), ran) if step.began_at else None,
        "cpu_s": step.cpu_s,
        "memory_peak": step.memory_peak,
        "memory_deaths": step.memory_deaths,
    }


def _derived(row: Row, number: int, kind: str, began_at: float) -> Row:
    """Step 0 or 1, from its run."""
    held_well = number == 0 and row["began_at"] and row["ended_at"]
    return {
        "stepid": f"{row['jobid']}.{number}",
        "step": number,
        "type": kind,
        "name": row["name"],
        "state": str(State.COMPLETED) if held_well else row["state"],
        "code": 0 if held_well else row["code"],
        "nodelist": row["nodelist"],
        "ntasks": 1 if number == 0 else row["ntasks"],
        "alloc_cpus": row["alloc_cpus"],
        "alloc_memory": row["alloc_memory"],
        "command": row["command"] if number else "",
        "began_at": began_at,
        "ended_at": row["ended_at"],
        "elapsed": row["elapsed"],  # that of the run, one figure, though step 0 holds the resources from the lease on
        "cpu_s": row["cpu_s"] if number else 0.0,
        "memory_peak": row["memory_peak"] if number else 0,
        "memory_deaths": 0,
    }


def _identity(job: Job, rank: int) -> Row:
    index = _indexes(job.spec.array).index_of(rank) if job.is_array else None
    shown = str(job.id) if index is None else f"{job.id}_{index}"
    return {"id": job.id + rank, "jobid": shown, "rank": rank, "index": index}


def _cpus(spec: JobSpec) -> float:
    """CPUs asked for over all nodes."""
    return spec.cpus_per_node * spec.nodes


def _by_number(step: StepRow) -> int:
    return step.step


@lru_cache(maxsize=256)
def _indexes(array: str) -> IndexSet:
    """Index sets by text: a listing names the same few arrays over and over."""
    return IndexSet.parse(array)


def newest_first(rows: Sequence[Row], limit: int) -> list[Row]:
    """Rows by id, then run, descending, at most ``limit`` (0 = all)."""
    ordered = sorted(rows, key=lambda row: (row["id"], row["run"]), reverse=True)
    return ordered[:limit] if limit else ordered
