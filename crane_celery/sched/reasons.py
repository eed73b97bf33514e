"""Why something is pending, as data with the numbers: for one submission on demand, for a class when it is turned down.

A reason is looked up, never kept for each job: a hundred thousand jobs of one class share one ``Why``.
"""

from __future__ import annotations

from crane_celery.model.job import NEVER, WAITING, Job, JobSpec
from crane_celery.model.states import Reason
from crane_celery.sched.plan import Plan, Why
from crane_celery.sched.pool import Pool
from crane_celery.sched.timeline import could_hold
from crane_celery.sched.view import View
from crane_celery.sched.want import MILLI, Want


def explain(view: View, plan: Plan, job: int, now: float) -> Why:
    """Why the pending elements of a submission that this plan leaves behind wait; reason NONE when none are left."""
    entry = view.entries.get(job)
    if entry is None or not entry.pending:
        return Why(Reason.NONE)
    why = own(entry.job, entry.spec, not entry.free, now)
    if why is not None:
        return why
    started = sum(1 for start in plan.starts if start.job == job)
    if started >= len(entry.free):
        return Why(Reason.HELD) if entry.held else Why(Reason.NONE)
    why = throttled(entry.spec, entry.active + started)
    if why is not None:
        return why
    place = entry.parts[0].queued
    return plan.blocked.get(place.kind, Why(Reason.PRIORITY)) if place else Why(Reason.PRIORITY)


def own(job: Job, spec: JobSpec, held: bool, now: float) -> Why | None:
    """Return what about a submission itself keeps ranks with this specification pending; None = nothing."""
    if held:
        return Why(Reason.HELD)
    if job.ready == NEVER:
        return Why(Reason.NEVER)
    if job.ready == WAITING:
        return Why(Reason.DEPENDENCY)
    begin = max(job.waits_until, spec.begin)
    return (
        Why(Reason.DEPENDENCY if job.waits_until > now and job.dep else Reason.BEGIN, "seconds", begin - now)
        if begin > now
        else None
    )


def throttled(spec: JobSpec, active: int) -> Why | None:
    """Return why no more elements of an array may start beside ``active`` ones; None = they may."""
    full = 0 < spec.throttle <= active
    return Why(Reason.ARRAY_LIMIT, "elements at once", active + 1, spec.throttle) if full else None


def lasting(pool: Pool, want: Want) -> Why | None:
    """Return why it could not start even if all that runs ended: too few of its nodes are up; None = it could.

    Costs a look at each node, until there are enough.
    """
    if want.partition not in pool.members:
        return Why(Reason.PARTITION, want.partition)
    fit = 0
    for at in pool.members[want.partition]:
        fit += pool.is_open(at) and could_hold(pool.nodes[at], want)
        if fit >= want.nodes:
            return None
    return Why(Reason.NODES_DOWN, "nodes", want.nodes, fit)


def shortfall(pool: Pool, want: Want) -> Why:
    """Return what a want that found no room lacks most plainly, from the bounds of the pool alone (cheap)."""
    cpu, memory = pool.most_free()
    if cpu < want.cpu:
        return Why(Reason.RESOURCES, "CPUs on one node", want.cpu / MILLI, cpu / MILLI)
    if memory < want.memory:
        return Why(Reason.RESOURCES, "bytes of memory on one node", want.memory, memory)
    found = len(pool.find(want))
    if found >= want.nodes:
        return Why(Reason.RESERVED, "nodes with room that is not kept for others", want.nodes, 0)
    return Why(Reason.RESOURCES, "nodes with room for all of it", want.nodes, found)
