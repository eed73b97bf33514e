"""The in-memory twin's runs with guests: what lua/lib/guests.lua keeps in a run's record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crane_celery.lifecycle.machine import Cause, may
from crane_celery.model.job import Element
from crane_celery.model.states import State
from crane_celery.store.api import Ended, Start
from crane_celery.store.memory.desired import Desired
from crane_celery.store.memory.log import Log

_AWAITED, _READY = "awaited", "ready"


@dataclass(slots=True)
class Invited:
    """One run: how far each node is that has not left, and how the run will end, once that is known."""

    phases: dict[str, str]
    unready: int
    ending: Ended | None = None


class Guests:
    """See store.api.Start."""

    def __init__(self, log: Log, desired: Desired) -> None:
        """Nobody is invited."""
        self.log, self.desired = log, desired
        self.known: dict[tuple[int, int], Invited] = {}
        #: nodes that are to register again
        self.compare: set[str] = set()

    def invite(self, start: Start) -> None:
        """Note the guests of a start."""
        first, *others = (part.node for part in start.allocation)
        if start.guests and others:
            phases = {first: _READY} | dict.fromkeys(others, _AWAITED)
            self.known[start.job + start.rank, start.run] = Invited(phases, len(others))

    @staticmethod
    def of(starts: Sequence[Start]) -> set[int]:
        """Return the ids of those that have guests."""
        return {start.job + start.rank for start in starts if start.guests and len(start.allocation) > 1}

    def awaits(self, e: Element, node: str) -> bool:
        """Return whether this node has a lease of the run that it has not answered."""
        if e.allocation[0].node == node:
            return e.state == State.STARTING
        known = self.known.get((e.id, e.run))
        return known is not None and known.phases.get(node) == _AWAITED

    def ready(self, node: str, id_: int, run: int) -> None:
        """Note a guest's begin; the last one tells the first node to go."""
        known = self.known.get((id_, run))
        if known is None or known.phases.get(node) != _AWAITED:
            return
        known.phases[node] = _READY
        known.unready -= 1
        if not known.unready:
            self.desired.order(id_, run, {"go": 1})

    def leave(self, node: str, end: Ended) -> tuple[Element, Ended] | None:
        """Nothing is left of a run on a node; the run and how it ends, when that ends it."""
        known = self.known.get((end.id, end.run))
        if known is None:
            element = self.log.held_run(node, end.id, end.run)
            return (element, end) if element else None
        if not known.phases.pop(node, ""):
            return None
        self.desired.kills.get(node, {}).pop((end.id, end.run), None)
        element = self.log.records.elements[end.id]
        failed = end.state != State.CANCELLED and element.state == State.STARTING
        if known.ending is None and (failed or node == element.allocation[0].node):
            known.ending = end
            self._send_off(element, known)
            if known.phases and may(element.state, Cause.DRAIN):
                row = [element.id, element.job, element.run, str(State.COMPLETING), self.log.past(end.ended_at)]
                self.log.append(("move", {"node": node, "rows": [row]}))
                element = self.log.records.elements[end.id]
        return None if known.phases or known.ending is None else (element, known.ending)

    def _send_off(self, e: Element, known: Invited) -> None:
        for name in known.phases:
            self.desired.kills.setdefault(name, {})[e.id, e.run] = 0
        rows = [[e.id, e.run, name, 0, 1] for name in known.phases]
        if rows:
            self.log.append(("kill_step", {"rows": rows}))

    def disband(self, e: Element, lost: bool) -> None:
        """The run has ended; ``lost``: since a node was written off, and the others have not left."""
        names = [part.node for part in e.allocation]
        for name in names if self.known.pop((e.id, e.run), None) else names[:1]:
            for kept in (self.desired.kills, self.desired.orders):
                kept.get(name, {}).pop((e.id, e.run), None)
        if lost and len(names) > 1:
            self.compare.update(names)
