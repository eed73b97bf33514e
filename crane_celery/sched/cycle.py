"""``schedule(view, now, config) -> Plan``: first fit in the order of priority, then of submission.

Classes of equal requests are merged by a heap on (partition priority, priority, id). A class starts what fits; once
its head finds no room the rest of the class is passed over, and so is every class that asks for at least as much
(``Want.covers``), while smaller ones behind it may start. Nodes are searched from where the class last found room,
since nothing is given back within a cycle. Classes that the last plan turned down are looked at again only when some
node that has given something back since could hold one of them. Cost: a few us for each start, one search for each
class, and 0.3 us for each class that is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush

from crane_celery.model.job import Allocation
from crane_celery.sched.plan import Config, Placement, Plan, Why
from crane_celery.sched.pool import Pool
from crane_celery.sched.queue import PARTS, Class, Order
from crane_celery.sched.reasons import shortfall
from crane_celery.sched.view import View
from crane_celery.sched.want import Want


def schedule(view: View, now: float, config: Config | None = None, last: Plan | None = None) -> Plan:
    """The starts that fit now. Pure: plans on a copy of the pool and changes nothing of the view.

    ``now`` is server time: what is ready later than that does not start, whatever the view was last told. ``last``
    saves work and changes no start: a plan whose starts were all accepted, when ``view.pool.freed`` was cleared before
    they were, and has not been since.
    """
    return _Cycle(view, now, config or Config()).run(last)


class _Cycle:
    """The scratch of one call."""

    def __init__(self, view: View, now: float, config: Config) -> None:
        self._entries = view.entries
        self._queue = view.queue
        self._now = now
        self._left = config.max_starts
        self._view_pool = view.pool
        self._pool: Pool = view.pool.copy()
        self._starts: list[Placement] = []
        self._blocked: dict[Want, Why] = {}  # what the plan says
        self._least: list[Want] = []  # blocked wants of which none covers another
        self._from: dict[Want, int] = {}  # want -> node where it last found room
        self._taken: dict[int, int] = {}  # submissions with a throttle -> elements started in this cycle
        self._parts: dict[tuple[int, Want], Allocation] = {}

    def run(self, last: Plan | None) -> Plan:
        """Go through the queue until it, the room or the budget is used up."""
        classes = self._hopeful(last.blocked) if last else self._queue
        heap: list[tuple[Order, int, int, Class]] = [(c.order, c.ids[0], 0, c) for c in classes]
        heapify(heap)
        while heap and self._left > 0:
            order, _, at, found = heappop(heap)
            limit = heap[0][:2] if heap else None
            at = self._drain(found, at, limit)
            if at < len(found.ids):
                heappush(heap, (order, found.ids[at], at, found))
        return Plan(self._starts, self._blocked, bool(heap))

    def _hopeful(self, turned_down: Mapping[Want, Why]) -> Iterator[Class]:
        """The classes worth looking at: new ones, and those that fit on a node that has given something back."""
        pool = self._view_pool
        cpu = max((pool.cpu[at] for at in pool.freed), default=0)
        memory = max((pool.memory[at] for at in pool.freed), default=0)
        for each in self._queue:
            want = each.want
            why = turned_down.get(want)
            if why is not None and (want.cpu > cpu or want.memory > memory):
                self._blocked[want] = why
            else:
                yield each

    def _drain(self, found: Class, at: int, limit: tuple[Order, int] | None) -> int:
        """Start submissions of a class until another class is due; returns where it stopped (its end: no room)."""
        ids, want = found.ids, found.want
        if self._is_blocked(want):
            return len(ids)
        while at < len(ids) and self._left > 0 and (limit is None or (found.order, ids[at]) < limit):
            if not self._place_job(ids[at], want):
                self._block(want)
                return len(ids)
            at += self._left > 0
        return at

    def _is_blocked(self, want: Want) -> bool:
        """Whether something that asks for no more has found no room."""
        for less in self._least:
            if less.covers(want):
                self._blocked.setdefault(want, self._blocked[less])
                return True
        return False

    def _block(self, want: Want) -> None:
        self._blocked[want] = shortfall(self._pool, want)
        self._least = [other for other in self._least if not want.covers(other)] + [want]

    def _place_job(self, unit: int, want: Want) -> bool:
        """Start as many elements of a part as may; False when one of them found no room."""
        job, number = divmod(unit, PARTS)
        entry = self._entries[job]
        part = entry.parts[number]
        if not 0 <= entry.ready <= self._now or part.spec.begin > self._now:
            return True
        room = min(entry.room - self._taken.get(job, 0), self._left)
        for rank in entry.startable(part):
            if room <= 0:
                break
            parts = self._place(want)
            if not parts:
                return False
            self._starts.append(Placement(job, rank, entry.next_run(rank), parts))
            room -= 1
            self._left -= 1
            if entry.spec.throttle:
                self._taken[job] = self._taken.get(job, 0) + 1
        return True

    def _place(self, want: Want) -> tuple[Allocation, ...]:
        """Hold room for one element; empty when there is none."""
        nodes = self._pool.find(want, self._from.get(want, 0))
        if len(nodes) < want.nodes:
            return ()
        self._from[want] = nodes[0]
        parts = tuple([self._part(at, want) for at in nodes])
        self._pool.take(parts)
        return parts

    def _part(self, at: int, want: Want) -> Allocation:
        """What it gets on a node; equal ones are one object, unless slots are named."""
        if want.gres:
            return self._pool.part(at, want)
        part = self._parts.get((at, want))
        if part is None:
            part = self._parts[at, want] = self._pool.part(at, want)
        return part
