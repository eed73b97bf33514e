"""Arrays as one row each: how many of their elements are in which state, whether they live or not."""

from collections.abc import Sequence

from crane_celery.errors import InputError
from crane_celery.grammar.selector import Selector
from crane_celery.history.api import ANY_TIME, History, Query, Total
from crane_celery.history.rows import Row
from crane_celery.model.states import ENDED
from crane_celery.service.query import queue
from crane_celery.service.query.job_rows import pending_row
from crane_celery.service.query.listing import Listed

#: conditions on single runs, which the counts of whole arrays cannot obey -> the options of cacct
_OF_RUNS = {"start": "-S", "end": "-E", "deadline": "--deadline", "nodes": "-w"}


def summaries(history: History | None, alive: queue.Chosen, want: Query) -> Listed:
    """Arrays, newest first, with the counts of their elements: of those that ended, as filed, and of those that live.

    Where states were asked for, those that have any element in one. Raises InputError for conditions on single runs.
    """
    for name, option in _OF_RUNS.items():
        if getattr(want, name) not in ((), ANY_TIME):
            raise InputError(f"a summary counts all elements of an array: leave {option} out, or --array-summary")
    live = _live(alive)
    filed, total = _filed(history, want)
    matching = [job for job, row in live.items() if not want.states or not row["counts"].keys().isdisjoint(want.states)]
    newest = sorted({*filed, *matching}, reverse=True)[: want.limit or None]
    missing = [job for job in newest if job not in filed]
    known = {**filed, **_of_jobs(history, missing)}
    rows = [_joined(job, known.get(job), live.get(job)) for job in newest]
    if not want.states:
        return Listed(rows, total._replace(number=max(total.number, len(rows))))
    ended = set(want.states) & ENDED
    others = {**known, **_of_jobs(history, [job for job in matching if job not in known])}
    also = sum(job not in others or others[job]["counts"].keys().isdisjoint(ended) for job in matching)
    return Listed(rows, total._replace(number=total.number + also))


def _filed(history: History | None, want: Query) -> tuple[dict[int, Row], Total]:
    """Arrays on file by id; those that match by a state of what lives are not among them."""
    if history is None or (want.states and ENDED.isdisjoint(want.states)):
        return {}, Total(0)
    rows, total = history.arrays(want)
    return {row["job"]: row for row in rows}, total


def _of_jobs(history: History | None, jobs: Sequence[int]) -> dict[int, Row]:
    if history is None or not jobs:
        return {}
    rows, _ = history.arrays(Query(selectors=tuple(Selector(job, "", None) for job in jobs), limit=0))
    return {row["job"]: row for row in rows}


def _live(chosen: queue.Chosen) -> dict[int, Row]:
    """Arrays that live by id, with the counts of what lives of them."""
    found: dict[int, Row] = {}
    for row in (*map(pending_row, chosen.lines), *chosen.rows):
        if row["array"] and row["state"] not in ENDED:
            counts = found.setdefault(row["job"], {**row, "counts": {}})["counts"]
            counts[row["state"]] = counts.get(row["state"], 0) + row["count"]
    return found


def _joined(job: int, filed: Row | None, live: Row | None) -> Row:
    counts = dict(filed["counts"]) if filed else {}
    for state, count in live["counts"].items() if live else ():
        counts[state] = counts.get(state, 0) + count
    return {**(filed or live or {}), "counts": counts, "id": job, "jobid": str(job), "count": sum(counts.values())}
