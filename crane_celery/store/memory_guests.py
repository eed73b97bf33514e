"""The in-memory twin's runs with guests: what lua/lib/guests.lua keeps in a run's record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crane_celery.model.job import Element
from crane_celery.model.states import HOLDING, State
from crane_celery.store.api import Ended, Start
from crane_celery.store.memory_control import MemoryControl

_AWAITED, _READY = "awaited", "ready"


@dataclass(slots=True)
class Guests:
    """One run: how far each node is that has not left, and how the run will end, once that is known."""

    phases: dict[str, str]
    unready: int
    ending: Ended | None = None


class MemoryGuests(MemoryControl):
    """See store.api.Start."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nobody is invited."""
        super().__init__(clock)
        self._guests: dict[tuple[int, int], Guests] = {}
        #: nodes that are to register again
        self._compare: set[str] = set()

    def _held_run(self, node: str, id_: int, run: int) -> Element | None:
        e = self._records.elements.get(id_)
        return e if e and e.run == run and e.state in HOLDING and e.allocation[0].node == node else None

    def _invite(self, start: Start) -> None:
        first, *others = (part.node for part in start.allocation)
        if start.guests and others:
            phases = {first: _READY} | dict.fromkeys(others, _AWAITED)
            self._guests[start.job + start.rank, start.run] = Guests(phases, len(others))

    @staticmethod
    def _guests_of(starts: Sequence[Start]) -> set[int]:
        return {start.job + start.rank for start in starts if start.guests and len(start.allocation) > 1}

    def _awaits(self, e: Element, node: str) -> bool:
        """Whether this node has a lease of the run that it has not answered."""
        if e.allocation[0].node == node:
            return e.state == State.STARTING
        known = self._guests.get((e.id, e.run))
        return known is not None and known.phases.get(node) == _AWAITED

    def _ready(self, node: str, id_: int, run: int) -> None:
        known = self._guests.get((id_, run))
        if known is None or known.phases.get(node) != _AWAITED:
            return
        known.phases[node] = _READY
        known.unready -= 1
        if not known.unready:
            self.order(id_, run, {"go": 1})

    def _leave(self, node: str, end: Ended) -> tuple[Element, Ended] | None:
        """Nothing is left of a run on a node; the run and how it ends, when that ends it."""
        known = self._guests.get((end.id, end.run))
        if known is None:
            element = self._held_run(node, end.id, end.run)
            return (element, end) if element else None
        if not known.phases.pop(node, ""):
            return None
        self._kills.get(node, {}).pop((end.id, end.run), None)
        element = self._records.elements[end.id]
        failed = end.state != State.CANCELLED and element.state == State.STARTING
        if known.ending is None and (failed or node == element.allocation[0].node):
            known.ending = end
            self._send_off(element, known)
        return None if known.phases or known.ending is None else (element, known.ending)

    def _send_off(self, e: Element, known: Guests) -> None:
        for name in known.phases:
            self._kills.setdefault(name, {})[e.id, e.run] = 0
        rows = [[e.id, e.run, name, 0, 1] for name in known.phases]
        if rows:
            self._tell(("kill_step", {"rows": rows}))

    def _disband(self, e: Element, lost: bool) -> None:
        """The run has ended; ``lost``: since a node was written off, and the others have not left."""
        names = [part.node for part in e.allocation]
        for name in names if self._guests.pop((e.id, e.run), None) else names[:1]:
            for kept in (self._kills, self._orders):
                kept.get(name, {}).pop((e.id, e.run), None)
        if lost and len(names) > 1:
            self._compare.update(names)
