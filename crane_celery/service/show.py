"""Full records of jobs and steps, for ``ccontrol show``; and the configuration, without its secrets."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from crane_celery.errors import NotFound
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.history.rows import Row
from crane_celery.model.dependency import decode
from crane_celery.model.job import Job
from crane_celery.model.states import Reason, State
from crane_celery.service import depshow
from crane_celery.service.filters import Filters
from crane_celery.service.queue import Alive, live_rows, target_rows, with_steps
from crane_celery.service.rows import Line, index_set, pending_row
from crane_celery.service.targets import Target, target
from crane_celery.settings import Settings
from crane_celery.store.api import Store

_PASSWORD = re.compile(r"(://[^/@:]*):[^@]*@")


def job_records(selectors: Sequence[Selector], found: Alive, store: Store) -> list[Row]:
    """Records by job id: of those named (ended ones too while the store has them), else of all that live.

    Raises NotFound for an id of which nothing is left.
    """
    if not selectors:
        jobs = {job.id: job for job in found.jobs}
        rows = sorted(live_rows(found, Filters()), key=lambda row: int(row["id"]))
        return [detailed(row, jobs[row["job"]], store) for row in rows]
    records: list[Row] = []
    for selector in selectors:
        each = _target(selector, store)
        rows = target_rows(each, found, store, ended=True) or _summary(each)
        if not rows:
            raise _gone(selector)
        records += [detailed(row, each.job, store) for row in sorted(rows, key=lambda row: int(row["id"]))]
    return records


def step_records(selectors: Sequence[Selector], found: Alive, store: Store) -> list[Row]:
    """Step records, of the jobs or steps named or of all that run."""
    if not selectors:
        return with_steps([row for row in live_rows(found, Filters()) if row["run"]], store)
    records: list[Row] = []
    for selector in selectors:
        rows = [row for row in target_rows(_target(selector, store), found, store, ended=True) if row["run"]]
        steps = [step for step in with_steps(rows, store) if selector.step in (None, step["step"])]
        if not steps:
            raise _gone(selector)
        records += steps
    return records


def _target(selector: Selector, store: Store) -> Target:
    try:
        return target(selector, store)
    except NotFound:
        raise _gone(selector) from None


def _gone(selector: Selector) -> NotFound:
    what = "Job" if selector.step is None else "Step"
    return NotFound(f"{what} {format_selector(selector)} is not running (see cacct for what has ended)")


def _summary(target: Target) -> list[Row]:
    """An ended submission of which no element ever ran, as one row."""
    job = target.job
    if not (target.whole and job.ended_at):
        return []
    row = pending_row(Line(job, target.ranks, Reason.NONE))
    row.update(state=str(job.worst_state or State.CANCELLED), code=job.worst_code, ended_at=job.ended_at)
    return [row]


def detailed(row: Row, job: Job, store: Store) -> Row:
    """The row with what only a full record shows."""
    spec = job.spec
    more: dict[str, Any] = {
        "array_job_id": job.id if job.is_array else None,
        "count_in_array": job.count,
        "cpus_per_task": spec.cpus_per_task,
        "cpus_per_node": spec.cpus_per_node,
        "ntasks_per_node": spec.ntasks_per_node,
        "gres": spec.gres,
        "stdin": spec.stdin,
        "stdout": spec.stdout,
        "stderr": spec.stderr,
        "submit_dir": spec.submit_dir,
        "dependency": None,
    }
    if job.is_array:
        indexes = index_set(spec.array)
        more["array_range"] = {"min": indexes.first, "max": indexes.last, "step": indexes.step}
    if job.dep:
        shown = depshow.show(decode(job.dep), job.ready, store.ended_bits)
        more["dependency"] = {"typed": spec.dependency, **shown._asdict()}
    return {**row, **more}


def config_record(settings: Settings) -> dict[str, Any]:
    """The settings as plain values; passwords in URLs are masked."""
    shown: dict[str, Any] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name in ("nodes", "partitions", "environ"):
            continue
        shown[each.name] = _PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else value
    shown["nodes"] = sorted(settings.nodes)
    shown["partitions"] = sorted(settings.partitions)
    return shown
