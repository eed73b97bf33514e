"""Which nodes are drained towards a job, and how much still has to end there, for people."""

from __future__ import annotations

from math import inf

from crane_celery.grammar.hostlist import compress
from crane_celery.grammar.ranges import RangeSet
from crane_celery.sched.clearing import Clearing
from crane_celery.sched.timeline import Hold, Timeline
from crane_celery.service.query.forecast import Seen

_SOON = "no node yet, but some will be, once it has waited for as long as that is expected to take"


def drained_lines(seen: Seen, job: int, ranks: RangeSet) -> list[str]:
    """A line for each room on drained nodes that is kept for these ranks, or one that there will be some."""
    mine = [hold for hold in seen.plan.holds if hold.job == job and hold.unknown and hold.rank in ranks]
    if mine:
        return [f"Drained for it: {_line(seen, hold)}" for hold in mine]
    soon = any(each.job == job and each.rank in ranks and each.begin > 0 for each in seen.plan.drains)
    return [f"Drained for it: {_SOON}"] if soon else []


def _line(seen: Seen, hold: Hold) -> str:
    nodes = compress(tuple(seen.view.pool.names[at] for at in hold.nodes))
    runs = _waits(seen, hold)
    if not runs:
        return f"{nodes}, which starts nothing else that would delay it"
    ends = [seen.view.runs[id].end for id in runs]
    jobs = f"{len(runs)} running job{'s' if len(runs) > 1 else ''}"
    endless = sum(end == inf for end in ends)
    which = "" if endless == len(ends) else f", {endless} of them without a time limit"
    limit = which or (", which has no time limit" if len(runs) == 1 else ", which have no time limit")
    return f"{nodes}, which starts nothing else that would delay it; it waits for the end of {jobs}{limit}"


def _waits(seen: Seen, hold: Hold) -> set[int]:
    """The runs that have to end first."""
    pool = seen.view.pool
    timeline = Timeline(seen.view.work.horizon, pool, seen.now, 0)
    for other in seen.plan.holds:
        if other is hold:
            break
        if other.job != hold.job:
            timeline.keep(other)
    clearing = Clearing(timeline, pool, seen.view.runs, seen.now)
    return {id for at in hold.nodes for id in clearing.waits(at, hold.want) or ()}
