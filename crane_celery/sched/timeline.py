"""Reservations of one cycle: rooms kept in the future for those that wait, and whether something else may start before.

Conservative backfill (reference/cranesched.md section 7.2): every job that finds no room gets the earliest room that
all those ahead of it leave, on the assumption that what runs ends at its time limit; whoever comes later starts now
only where that delays none of these. A room is checked at its begin and wherever another one begins within it: what is
free only shrinks there. Cost: a search walks the ends to come, a microsecond or two each, within a budget.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from math import inf
from operator import attrgetter
from typing import NamedTuple

from crane_celery.grammar.constraint import parse_constraint, satisfies
from crane_celery.model.job import Allocation
from crane_celery.model.node import Node
from crane_celery.sched.feasible import gres_on
from crane_celery.sched.horizon import Horizon, Release
from crane_celery.sched.pool import Pool
from crane_celery.sched.want import MILLI, Want


class _Step(NamedTuple):
    """Record of what is free on a node from a moment on, or how much that changes then."""

    moment: float
    cpu: int
    memory: int
    holders: int
    alone: int  # rooms of those that want the node for themselves


_moment = attrgetter("moment")


class Hold(NamedTuple):
    """A room that is kept: ``nodes`` by number, from ``start`` to ``end`` (server time)."""

    job: int
    rank: int
    start: float
    end: float
    nodes: tuple[int, ...]
    want: Want
    #: nobody knows when it can start, and not before ``start``: it depends on runs without a time limit
    unknown: bool = False


class Timeline:
    """Record of what is free when, on top of a scratch pool that the cycle takes its starts from."""

    def __init__(self, horizon: Horizon, pool: Pool, now: float, budget: int) -> None:
        """``budget``: ends looked at by all searches together, at most."""
        self._horizon = horizon
        self._pool = pool
        self._now = now
        self._budget = budget
        self.holds: dict[int, list[Hold]] = {}
        self._fresh = Horizon()  # starts of this cycle
        self._steps: dict[int, list[_Step]] = {}  # node -> what is free when, until something changes there
        self._seq = 0

    @property
    def spent(self) -> bool:
        """Return whether the budget is used up: no room will be found any more."""
        return self._budget < 0

    @property
    def endless(self) -> bool:
        """Return whether the end of anything at work is not known."""
        return bool(self._horizon.endless or self._fresh.endless)

    def keep(self, hold: Hold) -> None:
        """Keep a room."""
        for at in hold.nodes:
            self.holds.setdefault(at, []).append(hold)
            self._steps.pop(at, None)

    def started(self, nodes: list[int], parts: tuple[Allocation, ...], limit: int) -> None:
        """A start of this cycle holds this until its limit."""
        self._seq -= 1  # no run's id
        for at, part in zip(nodes, parts, strict=True):
            self._steps.pop(at, None)
            self._fresh.put(self._seq, at, part, self._now + limit if limit else inf)

    def clear(self, at: int, want: Want, start: float) -> bool:
        """Return whether a node holds it from ``start`` for its whole time beside all rooms that are kept there."""
        end = start + want.limit if want.limit else inf
        steps = self._steps_of(at)
        first = bisect_right(steps, start, key=_moment) - 1
        need = self._pool.memory_for(at, want)
        for moment, cpu, memory, holders, alone in islice(steps, first, None):
            if moment >= end:
                break
            if cpu < want.cpu or memory < need or alone or (want.exclusive and holders > 0):
                return False
        return not want.gres or all(self._has_slots(at, want, moment) for moment in self._begins(at, start, end))

    def _steps_of(self, at: int) -> list[_Step]:
        """Return what is free on a node from when on, in order; the first is before all times."""
        steps = self._steps.get(at)
        if steps is None:
            pool = self._pool
            _, cpu, memory, holders, alone = step = _Step(-inf, pool.cpu[at], pool.memory[at], pool.holders[at], 0)
            steps = self._steps[at] = [step]
            for change in sorted(self._changes(at)):
                cpu, memory = cpu + change.cpu, memory + change.memory
                holders, alone = holders + change.holders, alone + change.alone
                if steps[-1].moment == change.moment:
                    steps.pop()
                steps.append(_Step(change.moment, cpu, memory, holders, alone))
        return steps

    def _changes(self, at: int) -> Iterator[_Step]:
        """Yield what is given back and taken on a node, and when."""
        for horizon in (self._horizon, self._fresh):
            for release in horizon.by_node.get(at, {}).values():
                if release.end < inf:
                    yield _Step(max(release.end, self._now), release.cpu, release.memory, -1, 0)
        for hold in self.holds.get(at, ()):
            want, alone = hold.want, int(hold.want.exclusive)
            memory = self._pool.memory_for(at, want)
            yield _Step(hold.start, -want.cpu, -memory, 1, alone)
            yield _Step(hold.end, want.cpu, memory, -1, -alone)

    def releases(self, at: int) -> Iterator[tuple[int, Release]]:
        """Yield what runs on a node, by id; starts of this cycle have negative ones."""
        for horizon in (self._horizon, self._fresh):
            yield from horizon.by_node.get(at, {}).items()

    def _begins(self, at: int, start: float, end: float) -> Iterator[float]:
        """The moments at which slots may be short: the begin, and those of the rooms within."""
        yield start
        for hold in self.holds.get(at, ()):
            if start < hold.start < end:
                yield hold.start

    def _has_slots(self, at: int, want: Want, moment: float) -> bool:
        """Return whether a node has its devices at one moment."""
        slots = {name: sum(1 for users in held if not users) for name, held in self._pool.slots[at].items()}
        for horizon in (self._horizon, self._fresh):
            for release in horizon.by_node.get(at, {}).values():
                if max(release.end, self._now) <= moment and release.end < inf:
                    for name in slots:
                        slots[name] += len(release.gres.get(name, ()))
        for hold in self.holds.get(at, ()):
            if hold.start <= moment < hold.end:
                slots = less(slots, hold.want)
        return all(gres_on(slots, name) >= count for name, count in want.gres)

    def earliest(self, want: Want) -> tuple[float, tuple[int, ...]] | None:
        """The earliest room: (its begin, nodes). None when none is in sight, or the budget is used up."""
        good = {at for at in self._open(want) if self.clear(at, want, self._now)}
        if len(good) >= want.nodes:
            return self._now, tuple(sorted(good)[: want.nodes])
        able: dict[int, bool] = {}
        for moment, at in self._ends():
            self._budget -= 1
            if self._budget < 0:
                return None
            if at not in able:
                able[at] = self._may(at, want)
            if not able[at] or at in good or not self.clear(at, want, moment):
                continue
            good.add(at)
            if len(good) >= want.nodes:
                good = {each for each in good if self.clear(each, want, moment)}
                if len(good) >= want.nodes:
                    return moment, tuple(sorted(good)[: want.nodes])
        return None

    def _open(self, want: Want) -> Iterator[int]:
        """Nodes with room now, rooms kept left aside."""
        return self._pool.fitting(want)

    def _ends(self) -> Iterator[tuple[float, int]]:
        """Moments at which a node gets something back, in order: ends of runs, of this cycle's starts, of rooms."""
        rooms = sorted((hold.end, 0, at) for at, held in self.holds.items() for hold in held if hold.end < inf)
        for end, _, at in merge(self._horizon.ends, self._fresh.ends, rooms):
            yield max(end, self._now), at

    def _may(self, at: int, want: Want) -> bool:
        return (
            at in self._pool.members.get(want.partition, ())
            and could_hold(self._pool.nodes[at], want)
            and (self._pool.is_open(at))
        )


def could_hold(node: Node, want: Want) -> bool:
    """Return whether an empty node could serve it, by its name, size, resources and features."""
    spec = node.spec
    return (
        spec.name not in want.exclude
        and (not want.nodelist or spec.name in want.nodelist)
        and round(spec.cpus * MILLI) >= want.cpu
        and spec.memory >= want.memory
        and spec.tmp >= want.tmp
        and all(gres_on(spec.gres, key) >= count for key, count in want.gres)
        and (not want.constraint or satisfies(spec.features, parse_constraint(want.constraint)))
    )


def less(slots: dict[str, int], want: Want) -> dict[str, int]:
    """Free slots without those of a room that is kept there; an untyped request takes of whichever type there is."""
    left = dict(slots)
    for name, count in want.gres:
        for key in [key for key in left if key == name or key.startswith(f"{name}:")]:
            taken = min(count, left[key])
            left[key], count = left[key] - taken, count - taken
    return left
