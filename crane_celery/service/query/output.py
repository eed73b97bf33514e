"""Define where the output of jobs lies: of each element its newest run, whether it lives or ended long ago.

A path is as the node makes it of the job's patterns; what waits in many elements keeps its patterns. Files are opened
by who asks, never here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crane_celery.errors import NotFound, Refused
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.history.api import Query
from crane_celery.history.rows import Row
from crane_celery.model.job import Job
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import ENDED, State
from crane_celery.service.query.show import files
from crane_celery.service.query.story import Sources
from crane_celery.store.api import NodeStore

#: elements that one question may be about
MAX_OUTPUTS = 1000
_KEYS = ("jobid", "id", "run", "state", "code", "reason", "user", "uid", "nodelist", "began_at", "ended_at")
_ALL = tuple(str(state) for state in State)
_BAD = tuple(str(state) for state in ENDED - {State.COMPLETED})


def outputs(
    selectors: Sequence[Selector],
    sources: Sources,
    query: Callable[[Query], list[Row]],
    failed: int = 0,
) -> list[Row]:
    """A row for each element named, in their order; with ``failed`` for so many at most that ended and did not
    complete.

    ``query`` answers questions about runs. Raises NotFound, Refused for too many.
    """
    found: list[Row] = []
    places = hosts(sources.store)
    for selector in selectors:
        wanted = selector._replace(step=None)
        target = sources.target(wanted)
        limit = failed or MAX_OUTPUTS
        # what is pending again still has the output of its last run; of few elements all runs are read
        most = limit + 1 if failed or len(target.ranks) > limit else 0
        want = Query(selectors=(wanted,), states=_BAD if failed else _ALL, limit=most, last=bool(failed), steps=False)
        rows = query(want)
        newest = _newest(rows)
        if not failed and most and len(rows) > limit:
            raise Refused(
                f"{format_selector(wanted)} has more than {limit} elements: name some of them, such as"
                f" {target.job.id}_[0-9]"
            )
        if not newest and not failed:
            raise NotFound(f"job {format_selector(wanted)} never ran, or nothing of it is known any more")
        jobs: dict[int, Job] = {target.job.id: target.job}
        found += [place(row, jobs.get(row["job"]) or sources.job(row["job"]), places) for row in newest[:limit]]
    return found


def hosts(store: NodeStore) -> dict[str, str]:
    """The host of each node."""
    return {node.spec.name: node.host for node in store.nodes()}


def _newest(rows: Sequence[Row]) -> list[Row]:
    """The last run of each element, by id."""
    last: dict[int, Row] = {}
    for row in rows:
        if row["id"] not in last or row["run"] > last[row["id"]]["run"]:
            last[row["id"]] = row
    return [last[id_] for id_ in sorted(last)]


def place(row: Row, job: Job | None, hosts: Mapping[str, str]) -> Row:
    """Return where the output of a run lies."""
    paths: dict[str, Any] = files(row, job, spec_of(job.spec, job.changes, row["rank"])) if job else {}
    node = row["nodelist"][0] if row["nodelist"] else ""
    where = {"node": node, "host": hosts.get(node, ""), "count": row.get("count", 1)}
    where["open_mode"] = job.spec.open_mode if job else ""
    return {**{key: row[key] for key in _KEYS}, **where, "stdout": "", "stderr": "", **paths}
