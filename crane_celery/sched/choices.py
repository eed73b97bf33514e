"""Jobs that may start in several ways: on more or fewer nodes, in one of several partitions, with a shorter time limit.

Such a job waits in one of its shapes as any other. When a cycle has found no room for that, and another of its shapes
could start at once beside all that is kept for others, it is moved to the first such one (``move`` is an ``update`` of
its specification), and the next cycle starts it. So listings, nodes and accounting know only the shape that it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import inf
from typing import Any, NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import JobSpec
from crane_celery.model.overrides import changed
from crane_celery.model.states import Reason
from crane_celery.sched.entry import Entry, Part
from crane_celery.sched.plan import Plan
from crane_celery.sched.pool import Pool
from crane_celery.sched.view import View
from crane_celery.sched.want import Want, want_of

#: elements that are moved in one cycle
_MOST = 256


class Move(NamedTuple):
    """Pending ranks of a submission that are to have these fields in place of theirs."""

    job: int
    ranks: RangeSet
    fields: Mapping[str, Any]


def moves(view: View, plan: Plan, now: float) -> list[Move]:
    """Return what could start at once in another shape, in the order of priority. Changes nothing of view or plan."""
    found: list[Move] = []
    if not view.queue.flexible:
        return found
    room = _Room(view, plan, now)
    entries = sorted(
        (view.entries[job] for job in view.queue.flexible), key=lambda entry: (-entry.priority, entry.job.id)
    )
    for entry in entries:
        for part in entry.parts:
            if _turned_down(part, plan):
                found += _moves(entry, part, room)
            if sum(map(len, (move.ranks for move in found))) >= _MOST:
                return found
    return found


def _turned_down(part: Part, plan: Plan) -> bool:
    """Return whether the cycle looked for nodes for it, and found none."""
    why = plan.blocked.get(part.queued.kind) if part.queued is not None else None
    return why is not None and why.reason in (Reason.RESOURCES, Reason.RESERVED)


def _moves(entry: Entry, part: Part, room: _Room) -> Iterator[Move]:
    """Move ranks of a part to the first shapes that have room, as many as have."""
    started = room.started(entry.job.id)
    left, free = entry.startable(part) - started, min(_MOST, entry.room - len(started))
    for fields in _shapes(part.spec):
        spec = changed(part.spec, fields)
        some, limit = 0, spec.time_limit
        while some < min(len(left), free) and room.allows(spec):
            limit = room.take(entry.job.id, want_of(spec), spec.time_min)
            if limit is None or (spec.time_min and changed(spec, {"time_limit": limit}) == part.spec):
                break
            some += 1
            if spec.time_min:
                break  # each may have a limit of its own
        if some:
            ranks = RangeSet.of(list(left)[:some]) if some < len(left) else left
            left, free = left - ranks, free - some
            yield Move(entry.job.id, ranks, {**fields, "time_limit": limit} if spec.time_min else fields)


@lru_cache(maxsize=1024)
def _decoded(choices: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(choices)) if choices else ()


def _shapes(spec: JobSpec) -> Iterator[Mapping[str, Any]]:
    """The shapes that it may have but for its own; with a least time limit its own, too, for a shorter time."""
    for fields in _decoded(spec.choices):
        if spec.time_min or changed(spec, fields) != spec:
            yield fields


class _Room:
    """Record of what is free after the starts of a plan, and until when nobody else is to have it."""

    def __init__(self, view: View, plan: Plan, now: float) -> None:
        self._view = view
        self._now = now
        self._pool: Pool = view.pool.copy()
        self._started: dict[int, list[int]] = {}
        for start in plan.starts:
            self._pool.take(start.allocation)
            self._started.setdefault(start.job, []).append(start.rank)
        #: node -> begins of the rooms that are kept there, and for whom
        self._kept: dict[int, list[tuple[float, int]]] = {}
        for hold in plan.holds:
            for at in hold.nodes:
                self._kept.setdefault(at, []).append((hold.start, hold.job))

    def started(self, job: int) -> RangeSet:
        """The ranks that the plan starts."""
        return RangeSet.of(self._started.get(job, ()))

    def allows(self, spec: JobSpec) -> bool:
        """Return whether its user may have one more at work in that partition."""
        most = self._view.max_jobs(spec.partition)
        return not most or self._view.work.active_in.get((spec.uid, spec.partition), 0) < most

    def take(self, job: int, want: Want, least: int) -> int | None:
        """Take room for one element of a job, and return the time limit (0 = none) that it can have there, at least
        ``least`` where that is not 0; None when there is no room."""
        gaps = sorted(((self._gap(at, job), -at) for at in self._pool.fitting(want)), reverse=True)[: want.nodes]
        if len(gaps) < want.nodes:
            return None
        gap = gaps[-1][0]
        if gap < (least or want.limit or inf):
            return None
        self._pool.take([self._pool.part(-at, want) for _, at in gaps])
        return int(min(want.limit or inf, gap)) if want.limit or gap < inf else 0

    def _gap(self, at: int, job: int) -> float:
        """Seconds until another job is to have a node."""
        return min((start for start, of in self._kept.get(at, ()) if of != job), default=inf) - self._now


def fields_of(specs: Sequence[JobSpec]) -> str:
    """Return the shapes as ``JobSpec.choices`` has them: of each the fields in which they differ, and the time limit
    where that may be shorter; "" where there is nothing to choose."""
    names = [name for name in SHAPE if len({repr(getattr(spec, name)) for spec in specs}) > 1]
    if specs[0].time_min and "time_limit" not in names:
        names.append("time_limit")
    if not names:
        return ""
    shapes = [{name: getattr(spec, name) for name in names} for spec in specs]
    return json.dumps(shapes, separators=(",", ":"))


#: fields of a specification in which its shapes may differ
SHAPE = (
    *("partition", "nodes", "ntasks", "ntasks_per_node", "cpus_per_task", "memory", "whole_memory", "gres"),
    "time_limit",
)
