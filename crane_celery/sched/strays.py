"""Runs whose submission could not be taken into the view: what they hold is not free until they end."""

from __future__ import annotations

from crane_celery.model.job import Allocation
from crane_celery.sched.pool import Pool


class Strays:
    """Such runs, by element id."""

    def __init__(self, pool: Pool) -> None:
        """Take from, and give back to, this pool."""
        self._pool = pool
        self._held: dict[int, tuple[int, tuple[Allocation, ...]]] = {}

    def hold(self, id: int, run: int, parts: tuple[Allocation, ...]) -> None:
        """Account for what a run holds."""
        self._held[id] = run, parts
        self._pool.take(parts)

    def release(self, id: int, run: int) -> bool:
        """Give back what a run held, now that it is over; return whether it was held here."""
        if self._held.get(id, (0, ()))[0] != run or not run:
            return False
        self._pool.give(self._held.pop(id)[1])
        return True
