"""The live queue: what ``cqueue`` lists."""

from collections.abc import Iterable
from typing import NamedTuple

from crane_celery.grammar.selector import Selector
from crane_celery.history.rows import Row, step_rows
from crane_celery.model.job import Element, Job
from crane_celery.model.node import NodeState, Partition
from crane_celery.model.states import ENDED
from crane_celery.service.filters import Filters
from crane_celery.service.rows import Situation, by_state_and_priority, live_row, pending_rows, situation
from crane_celery.service.targets import Target, targets
from crane_celery.store.api import Store

#: ended elements of one array that a listing by id fetches at most
MAX_ENDED = 100_000


class Alive(NamedTuple):
    """Everything that has not ended, read once."""

    jobs: list[Job]
    elements: dict[int, list[Element]]
    around: Situation


def alive(store: Store, partitions: Iterable[Partition]) -> Alive:
    """Read the live jobs, what holds resources, and which partitions have a node that is up."""
    jobs, holding = store.jobs(), store.elements()
    up = {node.spec.name for node in store.nodes() if node.state is NodeState.UP}
    open_partitions = {each.name for each in partitions if each.up and not up.isdisjoint(each.nodes)}
    by_job: dict[int, list[Element]] = {}
    for element in holding:
        by_job.setdefault(element.job, []).append(element)
    return Alive(jobs, by_job, situation(store.now(), jobs, holding, open_partitions))


def live_rows(found: Alive, filters: Filters) -> list[Row]:
    """All rows of the queue that pass, in the queue's order."""
    rows: list[Row] = []
    for job in found.jobs:
        if filters.job(job):
            rows += pending_rows(job, found.around)
            rows += [live_row(job, element, found.around.now) for element in found.elements.get(job.id, ())]
    return sorted(filter(filters.row, rows), key=by_state_and_priority)


def chosen_rows(found: Alive, selectors: tuple[Selector, ...], filters: Filters, store: Store) -> list[Row]:
    """Rows of the jobs named, in the queue's order. Ended ones that the store still has are listed where a state
    filter asks for them; without one, only what is alive."""
    rows: dict[tuple[int, str], Row] = {}
    for target in targets(selectors, store)[0]:
        if not filters.job(target.job):
            continue
        for row in target_rows(target, found, store, ended=bool(filters.states & ENDED)):
            if filters.row(row):
                rows[row["id"], row["state"]] = row
    return sorted(rows.values(), key=by_state_and_priority)


def target_rows(target: Target, found: Alive, store: Store, *, ended: bool) -> list[Row]:
    """Pending, live and, if wanted, ended rows of one target."""
    job, now = target.job, found.around.now
    rows = pending_rows(job, found.around, target.ranks)
    if ended:
        ids = (job.id + rank for rank in target.ranks.take(MAX_ENDED))
        elements = store.elements(ids)
    else:
        elements = found.elements.get(job.id, [])
    return rows + [live_row(job, element, now) for element in elements if element.rank in target.ranks]


def with_steps(rows: Iterable[Row], store: Store) -> list[Row]:
    """Step rows of started elements: jobs descending, steps ascending; what each has of its job is added."""
    found: list[Row] = []
    shared = ("jobid", "id", "partition", "user", "uid", "account", "qos", "time_limit")
    for row in sorted(rows, key=lambda each: int(each["id"]), reverse=True):
        for step in step_rows(row, store.steps(row["id"], row["run"]) if row["run"] else ()):
            about = {key: row[key] for key in shared}
            now = row["began_at"] + (row["elapsed"] or 0.0)
            until = step["ended_at"] or now
            step["elapsed"] = max(0.0, until - step["began_at"]) if step["began_at"] else None
            found.append({**about, "nodes": len(step["nodelist"]), **step})
    return found
