"""A submission as the history keeps it: JSON that outlives versions of the program.

The store's own codec may change with the program, as what it holds lives for days; a history is kept for years. So
fields that this version does not know are passed over, and those that it misses have their defaults.
"""

import json
from dataclasses import MISSING, fields
from typing import Any

from crane_celery.model.job import Job, JobSpec

#: field -> its default, which is left out
_SPEC = {
    each.name: each.default_factory() if each.default_factory is not MISSING else each.default
    for each in fields(JobSpec)
}
_TUPLES = ("nodelist", "exclude")


def encode(job: Job) -> str:
    """As JSON text: what was asked for, not how far it came."""
    spec = {name: value for name, usual in _SPEC.items() if (value := getattr(job.spec, name)) != usual}
    head = {"id": job.id, "count": job.count, "submitted_at": job.submitted_at, "priority": job.priority}
    return json.dumps(head | {"spec": spec}, separators=(",", ":"))


def decode(text: str, changes: str = "") -> Job:
    """Back from ``encode``, whichever version wrote it; a record with nothing pending, and with these changes."""
    found: dict[str, Any] = json.loads(text)
    spec = {name: value for name, value in found["spec"].items() if name in _SPEC}
    spec |= {name: tuple(spec.get(name, ())) for name in _TUPLES}
    return Job(
        id=found["id"],
        spec=JobSpec(**spec),
        count=found["count"],
        submitted_at=found["submitted_at"],
        pending="",
        priority=found.get("priority", 0.0),
        changes=changes,
    )
