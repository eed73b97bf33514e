"""Why something is pending, as data with the numbers: for one submission on demand, for a want when it is turned down.

A reason is looked up, never kept for each job: a hundred thousand jobs of one class share one ``Why``.
"""

from __future__ import annotations

from crane_celery.model.job import NEVER, WAITING
from crane_celery.model.states import Reason
from crane_celery.sched.entry import Entry
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
    own = _own(entry, now)
    if own is not None:
        return own
    started = sum(1 for start in plan.starts if start.job == job)
    if started >= len(entry.free):
        return Why(Reason.HELD) if entry.held else Why(Reason.NONE)
    if started >= entry.room:
        throttle = entry.spec.throttle
        return Why(Reason.ARRAY_LIMIT, "elements at once", entry.active + started + 1, throttle)
    why = plan.blocked.get(entry.want)
    if why is None:
        return Why(Reason.PRIORITY)
    return _lasting(view.pool, entry.want) or why


def _own(entry: Entry, now: float) -> Why | None:
    """What about the submission itself keeps it from starting."""
    if entry.ready == NEVER:
        return Why(Reason.NEVER)
    if entry.ready == WAITING:
        return Why(Reason.DEPENDENCY)
    if not entry.free:
        return Why(Reason.HELD)
    if entry.ready > now:
        delayed = Reason.DEPENDENCY if entry.job.dep else Reason.BEGIN
        return Why(delayed, "seconds", entry.ready - now)
    return None


def _lasting(pool: Pool, want: Want) -> Why | None:
    """Whether it could not start even if all that runs ended: too few of its nodes are up. Costs a look at each."""
    if want.partition not in pool.members:
        return Why(Reason.PARTITION, want.partition)
    fit = sum(1 for at in pool.members[want.partition] if pool.is_open(at) and could_hold(pool.nodes[at], want))
    return None if fit >= want.nodes else Why(Reason.NODES_DOWN, "nodes", want.nodes, fit)


def shortfall(pool: Pool, want: Want) -> Why:
    """What a want that found no room lacks most plainly, from the bounds of the pool alone (cheap)."""
    cpu, memory = pool.most_free()
    if cpu < want.cpu:
        return Why(Reason.RESOURCES, "CPUs on one node", want.cpu / MILLI, cpu / MILLI)
    if memory < want.memory:
        return Why(Reason.RESOURCES, "bytes of memory on one node", want.memory, memory)
    found = len(pool.find(want))
    if found >= want.nodes:
        return Why(Reason.RESERVED, "nodes with room that is not kept for others", want.nodes, 0)
    return Why(Reason.RESOURCES, "nodes with room for all of it", want.nodes, found)
