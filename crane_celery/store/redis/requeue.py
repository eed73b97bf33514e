"""The requeue verb on a server, in portions: each is one atomic step (requeue.lua)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from crane_celery.errors import NotFound
from crane_celery.model.event import asked_by
from crane_celery.model.job import Job
from crane_celery.model.overrides import dependent, spec_of, update_of
from crane_celery.store import script_args
from crane_celery.store.api import Changing, Requeue, Requeued
from crane_celery.store.codec import dumps
from crane_celery.store.link import Link

#: first of an answer: somebody changed the submission meanwhile, nothing is done
_CHANGED = -1


def run(link: Link, read: Callable[[], Job | None], job: int, ranks: str, how: Requeue, uid: int) -> Requeued:
    """Have ranks run again, up to 500 that have run in one step. The first step that has anything run again does what
    is to be changed. Raises NotFound."""
    changing, flags = how.changing, (how.then, int(how.completed), int(how.running))
    ended, never, told = 0, 0, []
    for part in script_args.pieces(ranks):
        rank = 0
        while rank >= 0:
            change = _change(read(), changing, uid) if changing else ""
            over, unrun, following, *ids = link.run("requeue", job, part, *flags, rank, script_args.by(uid), change)
            if over == _CHANGED:
                continue
            rank, ended, never = following, ended + over, never + unrun
            told += ids
            if over or ids:
                changing = None
    return Requeued(ended, never, told)


def _change(job: Job | None, changing: Changing, uid: int) -> str:
    """Return what is changing as requeue.lua takes it, by what the submission is now."""
    if job is None:
        raise NotFound("the job has left the server meanwhile; see cacct for what there was")
    events, fields = [], {}
    now = job
    for ranks, values in changing.fields:
        event = asked_by(uid) | update_of(now, ranks, values)
        events.append(dumps(event))
        now = replace(now, changes=event["changes"])
        if "throttle" in values:
            fields["throttle"] = str(values["throttle"])
        if "priority" in values and len(event["ranks"]) and _is_whole(now, event["ranks"]):
            fields["priority"] = f"{float(values['priority'])!r}"
        if values.keys() & {"requeue", "max_fails"}:
            fields["policy"] = script_args.policy(spec_of(now.spec, now.changes, 0))
    made: dict[str, Any] = {"seen": job.changes, "events": events}
    if changing.dependency is not None:
        text, dep = changing.dependency
        now = replace(now, changes=dependent(now, text))
        made |= {"text": dumps(text), "dep": dep}
    fields["changes"] = now.changes
    return dumps({**made, "set": fields})


def _is_whole(job: Job, ranks: str) -> bool:
    return ranks == ("0" if job.count == 1 else f"0-{job.count - 1}")
