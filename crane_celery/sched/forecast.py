"""When what waits is expected to start, and who is ahead of whom. Pure; asked by a person, never by a cycle.

A forecast is a cycle that keeps rooms for all that wait, not for the first ones only: it holds if every run ends at its
time limit and nobody comes ahead, so jobs rather start earlier. It knows no time where a room depends on a run without
a limit, on a licence, or on a limit of the user or the array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from crane_celery.sched.cycle import schedule
from crane_celery.sched.draining import Drain
from crane_celery.sched.licences import Licences
from crane_celery.sched.plan import Config
from crane_celery.sched.queue import PARTS, Class
from crane_celery.sched.timeline import Hold
from crane_celery.sched.view import View

#: (negated partition priority, negated priority, elements of the user at work, unit): lower goes first
Rank = tuple[float, float, int, int]

#: rooms that a forecast keeps; what is further behind starts at a time that nobody knows
PLACED = 500
#: ends looked at by all searches of a forecast together: about two seconds
BUDGET = 500_000
_STARTS = 10_000


class Expected(NamedTuple):
    """Server time, and the names of the nodes."""

    start: float
    nodes: tuple[str, ...]


class Ahead(NamedTuple):
    """A submission that goes before another, and why."""

    job: int
    why: str


def standing(view: View, config: Config, now: float, found: Class, unit: int, active: int) -> Rank:
    """Return where a unit of a class stands, when its user has so many elements at work."""
    entry = view.entries[unit // PARTS]
    value = config.ranking.value(entry.job, entry.parts[unit % PARTS].spec, now)
    return -found.kind.partition, -value, active, unit


def ahead(view: View, config: Config, now: float, job: int, number: int = 0) -> list[Ahead]:
    """The submissions that go before a part of this one and could use its nodes, in order. Linear in the queue."""
    active = view.work.active
    mine: Rank | None = None
    others: list[Rank] = []
    nodes = view.pool.members.get(view.entries[job].parts[number].want.partition, set())
    for found in view.queue:
        if nodes.isdisjoint(view.pool.members.get(found.want.partition, ())):
            continue
        ranks = [standing(view, config, now, found, unit, active.get(found.kind.uid, 0)) for unit in found.ids]
        mine = next((rank for rank in ranks if rank[3] == job * PARTS + number), mine)
        others += ranks
    if mine is None:
        return []
    before = {
        rank[3] // PARTS: rank for rank in sorted(others, reverse=True) if rank < mine and rank[3] // PARTS != job
    }
    return [Ahead(other, _why(rank, mine)) for other, rank in sorted(before.items(), key=lambda item: item[1])]


def _why(theirs: Rank, mine: Rank) -> str:
    """Return what puts one before the other."""
    if theirs[0] != mine[0]:
        return f"its partition goes first, {-theirs[0]:g} over {-mine[0]:g}"
    if theirs[1] != mine[1]:
        return f"priority {-theirs[1]:g} over {-mine[1]:g}"
    if theirs[2] != mine[2]:
        return f"its user has {theirs[2]} at work, this one's {mine[2]}"
    return "submitted earlier"


def forecast(view: View, now: float, config: Config, drains: Sequence[Drain] = ()) -> dict[int, Expected]:
    """Expected starts by plain id. ``drains``: those of the last plan; nobody knows when what they are for starts."""
    wide = replace(config, max_starts=_STARTS, rooms=PLACED, rooms_of_class=PLACED, budget=BUDGET)
    plan = schedule(view, now, wide, None, drains)
    found = {
        start.job + start.rank: Expected(now, tuple(part.node for part in start.allocation)) for start in plan.starts
    }
    taken = Counter(start.job for start in plan.starts)
    for hold in _allowed(view, config, plan.holds, taken):
        found[hold.job + hold.rank] = Expected(hold.start, tuple(view.pool.names[at] for at in hold.nodes))
    return found


def _allowed(view: View, config: Config, holds: Sequence[Hold], taken: Counter[int]) -> Iterator[Hold]:
    """Rooms of those that wait for nothing beside them. ``taken``: elements by submission that start now."""
    licences = Licences(config.licenses, view.work.licenses)
    users: Counter[int] = Counter(view.work.active)
    for job, count in taken.items():
        users[view.entries[job].job.spec.uid] += count
    for hold in holds:
        if hold.unknown:
            continue
        entry = view.entries[hold.job]
        uid, partition = entry.job.spec.uid, hold.want.partition
        limits = [most for most in (config.max_jobs, view.max_jobs(partition)) if most]
        if taken[hold.job] >= entry.room or (limits and users[uid] >= min(limits)) or licences.lack(hold.want.licenses):
            continue
        taken[hold.job] += 1
        users[uid] += 1
        yield hold
