"""Define what is at work: how much of each user, which licences are in use, and when it all is expected to end.
Pure."""

from __future__ import annotations

from crane_celery.model.job import Allocation
from crane_celery.sched.entry import Entry, Run
from crane_celery.sched.horizon import Horizon
from crane_celery.sched.licences import held
from crane_celery.sched.pool import Pool
from crane_celery.sched.usage import Usage


class Work:
    """Accounts of all runs that hold an allocation."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.horizon = Horizon()
        self.active: dict[int, int] = {}  # uid -> elements
        self.active_in: dict[tuple[int, str], int] = {}  # (uid, partition) -> elements
        self.licenses: dict[str, int] = {}
        self.usage = Usage(0.0)

    def add(self, entry: Entry, run: Run, now: float) -> None:
        """A run has got its allocation."""
        spec = entry.part_of(run.rank).spec
        run.since, run.limit, run.deadline = now, spec.time_limit or 0, spec.deadline
        self._count(entry, run, 1)
        for at, part in self._parts(run):
            self.horizon.put(run.id, at, part, run.end)

    def drop(self, entry: Entry, run: Run, at: float) -> None:
        """It has given it back at this time."""
        self._count(entry, run, -1)
        used = sum(part.cpus for part in run.parts) * max(0.0, at - run.since)
        self.usage.add(entry.job.spec.uid, used, at)
        for at, _ in self._parts(run):
            self.horizon.drop(run.id, at)

    def expect(self, run: Run) -> None:
        """When it is expected to end may have changed."""
        for at, _ in self._parts(run):
            self.horizon.move(run.id, at, run.end)

    def _parts(self, run: Run) -> list[tuple[int, Allocation]]:
        number = self._pool.number
        return [(number[part.node], part) for part in run.parts if part.node in number]

    def _count(self, entry: Entry, run: Run, by: int) -> None:
        uid, key = entry.job.spec.uid, (entry.job.spec.uid, entry.job.spec.partition)
        self.active[uid] = self.active.get(uid, 0) + by
        self.active_in[key] = self.active_in.get(key, 0) + by
        for name, count in held(run.parts).items():
            self.licenses[name] = self.licenses.get(name, 0) + by * count
