"""The waiting and running steps of one job, and which of the waiting ones start.

What does not fit stops nobody behind it. So that it does not starve, the first step that does not fit is given a
reservation after PATIENCE later steps have started before it: the nodes that it will use take no other step, except
one that ends (by its own limit) before those nodes are free.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from crane_celery.stepsched.fit import choose, eligible, fit
from crane_celery.stepsched.ground import Ground, Node
from crane_celery.stepsched.need import Need, Part
from crane_celery.stepsched.order import Order, Step

#: starts of later steps that the first waiting one lets pass before it gets a reservation
PATIENCE = 16
#: needs that did not fit in a turn and are compared with later ones, to spare a look at the nodes
_COMPARED = 8


class Start(NamedTuple):
    """Start a step on these nodes."""

    number: int
    parts: tuple[Part, ...]


class Reservation(NamedTuple):
    """Nodes that take nothing new until this step starts, or is gone; ``at``: expected time, inf = unknown."""

    number: int
    nodes: frozenset[str]
    at: float


class Running(NamedTuple):
    """Record of what a running step holds and when its limit ends it (inf: never)."""

    parts: tuple[Part, ...]
    ends: float


class Queue:
    """All steps of one job that wait or hold something. A turn costs what it starts and looks at, not what waits."""

    def __init__(self, ground: Ground) -> None:
        """Begin with nothing waiting on these nodes."""
        self.ground = ground
        self.running: dict[int, Running] = {}
        self.reservation: Reservation | None = None
        self._order = Order()
        #: the first step that did not fit in the last turn, and how many later ones have started before it
        self._first, self._passed = 0, 0

    def __len__(self) -> int:
        """Return how many steps wait."""
        return len(self._order.steps)

    def waiting(self) -> list[Step]:
        """Return the waiting steps in order. Costs a sort."""
        return sorted(self._order.steps.values(), key=lambda step: step.key)

    def add(self, step: Step) -> None:
        """Let a step wait; a waiting step of this number is replaced (another priority, other needs)."""
        self._order.add(step)

    def remove(self, number: int) -> bool:
        """Forget a waiting step; return whether it waited."""
        return self._order.steps.pop(number, None) is not None

    def begin(self, number: int, parts: tuple[Part, ...], ends: float = math.inf) -> None:
        """Record a running step (one that was found again after a restart)."""
        self.ground.take(parts)
        self.running[number] = Running(parts, ends)

    def end(self, number: int) -> bool:
        """Free what a step held; return whether it held anything."""
        if (ran := self.running.pop(number, None)) is None:
            return False
        self.ground.give(ran.parts)
        return True

    def place(self, now: float) -> list[Start]:
        """Start what fits, in order, and return it."""
        self._review(now)
        starts: list[Start] = []
        failed: list[Need] = []
        first, free = 0, self.ground.most_free()
        for step in self._order.heads():
            if free <= 0 and self._order.least > 0:
                first = first or step.number
                break
            parts = self._fit(step, failed, now)
            if parts is None:
                first = first or step.number
                continue
            starts.append(self._start(step, parts, now))
            self._passed += first != 0 and first == self._first
            free = self.ground.most_free()
        self._note_first(first, now)
        return starts

    def _fit(self, step: Step, failed: list[Need], now: float) -> tuple[Part, ...] | None:
        """Return where a step fits now; remember in ``failed`` a need that does not."""
        reserved = self.reservation is not None and self.reservation.number == step.number
        if not reserved and any(need.covers(step.need) for need in failed):
            return None
        parts = fit(step.need, self.ground, self._barred(step, now), step.how)
        if parts is None and len(failed) < _COMPARED:
            failed.append(step.need)
        return parts

    def _start(self, step: Step, parts: tuple[Part, ...], now: float) -> Start:
        """Move a step from the waiting to the running ones."""
        del self._order.steps[step.number]
        self.begin(step.number, parts, now + step.need.limit if step.need.limit else math.inf)
        if self.reservation is not None and self.reservation.number == step.number:
            self.reservation = None
        return Start(step.number, parts)

    # -- the reservation

    def _barred(self, step: Step, now: float) -> frozenset[str]:
        """Return the nodes reserved for another step that this one would delay."""
        kept = self.reservation
        if kept is None or kept.number == step.number or step.need.overlap:
            return frozenset()
        in_time = step.need.limit and now + step.need.limit <= kept.at < math.inf
        return frozenset() if in_time else kept.nodes

    def _review(self, now: float) -> None:
        """Drop a reservation whose step is gone, or one of whose nodes is gone or closed; else renew its time."""
        if (kept := self.reservation) is None:
            return
        nodes = self.ground.nodes
        if kept.number in self._order.steps and all(name in nodes and nodes[name].open for name in kept.nodes):
            ends = self._ends(now)
            self.reservation = kept._replace(at=max(ends[name] for name in kept.nodes))
        else:
            self.reservation = None

    def _note_first(self, first: int, now: float) -> None:
        """Record the first step that stays waiting; reserve nodes for it once enough later ones have passed it."""
        if first != self._first:
            self._first, self._passed = first, 0
        if first and self._passed >= PATIENCE:
            self.reservation = self._reserve(self._order.steps[first], now)

    def _reserve(self, step: Step, now: float) -> Reservation | None:
        """Return the nodes where a step can start soonest; None if it does not fit on all of them."""
        ends = self._ends(now)
        nodes = sorted(eligible(step.need, self.ground), key=lambda node: (ends[node.name], node.cpu - node.free_cpu))
        room: list[tuple[Node, int]] = []
        for node in nodes:
            if tasks := node.tasks_of(step.need, empty=True):
                room.append((node, tasks))
                if (chosen := choose(step.need, room)) is not None:
                    names = frozenset(node.name for node, _ in chosen)
                    return Reservation(step.number, names, max(ends[name] for name in names))
        return None

    def _ends(self, now: float) -> dict[str, float]:
        """Return when all that runs on each node has ended by its limits; inf if something there has none."""
        ends = dict.fromkeys(self.ground.nodes, now)
        for ran in self.running.values():
            for part in ran.parts:
                ends[part.node] = max(ends.get(part.node, now), ran.ends)
        return ends
