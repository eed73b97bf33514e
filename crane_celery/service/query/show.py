"""Full records of jobs and steps, for ``ccontrol show``; and the configuration, without its secrets."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from crane_celery.errors import NotFound
from crane_celery.grammar.filename import FilenameContext, expand_filename
from crane_celery.grammar.licenses import parse_licenses
from crane_celery.grammar.names import instead
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.history.rows import Row
from crane_celery.model.dependency import Resolved
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import PRIMARY_STEP, Reason, State
from crane_celery.sched.plan import Why
from crane_celery.service.query import dependency_text
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.job_rows import Line, index_set, pending_row
from crane_celery.service.query.queue import Alive, live_rows, target_rows, with_steps
from crane_celery.service.shared.targets import Target, target, targets
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
    """Step records, of the jobs or steps named or of all that run. Raises NotFound for one of which nothing is left."""
    if not selectors:
        return with_steps([row for row in live_rows(found, Filters()) if row["run"]], store)
    records: list[Row] = []
    for selector in selectors:
        steps = _steps_of(_target(selector, store), found, store)
        if not steps:
            raise _gone(selector)
        records += steps
    return records


def step_rows(selectors: Sequence[Selector], found: Alive, store: Store) -> list[Row]:
    """The same for a listing, which leaves out what is not there."""
    if not selectors:
        return step_records((), found, store)
    return [row for each in targets(tuple(selectors), store)[0] for row in _steps_of(each, found, store)]


def _steps_of(target: Target, found: Alive, store: Store) -> list[Row]:
    rows = [row for row in target_rows(target, found, store, ended=True) if row["run"]]
    return [step for step in with_steps(rows, store) if target.step in (None, step["step"])]


def _target(selector: Selector, store: Store) -> Target:
    try:
        return target(selector, store)
    except NotFound:
        if selector.part and store.job(selector.job) is not None:
            raise  # it says which elements there are
        raise _gone(selector) from None


def _gone(selector: Selector) -> NotFound:
    what = "Job" if selector.step is None else "Step"
    return NotFound(f"{what} {format_selector(selector)} is not running (see cacct for what has ended)")


def _summary(target: Target) -> list[Row]:
    """An ended submission of which no element ever ran, as one row."""
    job = target.job
    if not (target.whole and job.ended_at):
        return []
    row = pending_row(Line(job, target.ranks, Why(Reason.NONE), job.spec))
    row.update(reason="", state=str(job.worst_state or State.CANCELLED), code=job.worst_code, ended_at=job.ended_at)
    return [row]


def detailed(row: Row, job: Job, store: Store) -> Row:
    """The row with what only a full record shows."""
    spec = spec_of(job.spec, job.changes, row["rank"])
    more: dict[str, Any] = {
        "array_job_id": job.id if job.is_array else None,
        "count_in_array": job.count,
        "cpus_per_node": spec.cpus_per_node,
        **{name: getattr(spec, name) for name in _MORE},
        "extra": json.loads(spec.extra) if spec.extra else {},
        "restarts": max(0, row["run"] - 1) if row["run"] else _runs_before(job, row["rank"]),
        "eligible_at": max(job.submitted_at, spec.begin, job.ready) if job.ready >= 0 else 0.0,
        "dependency": None,
        **files(row, job, spec),
    }
    if job.is_array:
        indexes = index_set(spec.array)
        more["array_range"] = {"min": indexes.first, "max": indexes.last, "step": indexes.step}
    if job.dep:
        shown = dependency_text.show(*_depends(row, job, store), store.ended_bits)
        more["dependency"] = {"typed": spec.dependency, **shown._asdict()}
    return {**row, **more}


def _depends(row: Row, job: Job, store: Store) -> tuple[Resolved, float]:
    """The dependency of a row; of a line of many elements there is one moment from which on all are ready."""

    def ended_at(id_: int) -> float:
        return next((each.ended_at for each in store.elements([id_])), 0.0)

    lone = row.get("count", 1) == 1
    dep, ready = dependency_text.of_rank(job, row["rank"], ended_at if lone else None)
    return dep, min(ready, row["leased_at"] or ready)


#: fields of a specification that only a full record shows
_MORE = (
    *("cpus_per_task", "ntasks_per_node", "submit_dir", "open_mode", "signal", "max_requeue"),
    *("kill_on_invalid_dep", "constraint", "max_fails"),
)


def _runs_before(job: Job, rank: int) -> int:
    """Return how often a pending rank has run already."""
    return next((run for ranks, run in json.loads(job.again or "[]") if rank in RangeSet.parse(ranks)), 0)


def files(row: Row, job: Job, spec: JobSpec) -> dict[str, str]:
    """Return where input and output are, as far as that is known before a start: a line of many keeps its patterns."""
    usual = "Crane-%A_%a.out" if job.is_array else "Crane-%j.out"
    patterns = {"stdin": spec.stdin, "stdout": spec.stdout or usual, "stderr": spec.stderr or spec.stdout or usual}
    if row.get("count", 1) > 1:
        return {name: os.path.join(spec.cwd, pattern) for name, pattern in patterns.items()}
    context = FilenameContext(
        job=row["id"],
        array_job=job.id if job.is_array else None,
        array_index=row["index"],
        step=PRIMARY_STEP,
        host=row["nodelist"][0] if row["nodelist"] else "%N",
        node_index=0,
        task=0,
        user=spec.user,
        name=spec.name,
        run=row["run"] or 1,
    )
    return {name: os.path.join(spec.cwd, expand_filename(pattern, context)) for name, pattern in patterns.items()}


def license_records(settings: Settings, jobs: Sequence[Job], elements: Sequence[Element]) -> list[Row]:
    """The licences of the cluster by name: how many there are, and how many runs hold."""
    by_id, used = {job.id: job for job in jobs}, dict.fromkeys(settings.licenses, 0)
    for element in elements:
        job = by_id.get(element.job)
        text = spec_of(job.spec, job.changes, element.rank).licenses if job else ""
        for item in parse_licenses(text).items if text else ():
            used[item.name] = used.get(item.name, 0) + item.number
    return [
        {"name": name, "total": total, "used": used[name], "free": max(0, total - used[name]), "reserved": 0}
        for name, total in sorted(settings.licenses.items())
    ]


def config_record(settings: Settings) -> dict[str, Any]:
    """The settings as plain values; passwords in URLs are masked."""
    shown: dict[str, Any] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name in ("nodes", "partitions", "environ"):
            continue
        shown[each.name] = _PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else _plain(value)
    shown["nodes"] = sorted(settings.nodes)
    shown["partitions"] = sorted(settings.partitions)
    return shown


def _plain(value: Any) -> Any:
    """A group of settings as an object."""
    return {each.name: _plain(getattr(value, each.name)) for each in fields(value)} if is_dataclass(value) else value


#: what can be shown -> where there is a list of it
_SEEN = {"node": "cinfo", "partition": "cinfo", "licence": "ccontrol show lic"}


def named(what: str, records: list[Row], names: Sequence[str]) -> list[Row]:
    """Those of these names, all where none is given. Raises NotFound."""
    by_name = {record["name"]: record for record in records}
    for name in names:
        if name not in by_name:
            raise NotFound(f"there is no {what} {name[:60]!r}{instead(name, by_name, _SEEN[what])}")
    return [by_name[name] for name in names] if names else records
