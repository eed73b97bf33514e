"""Define what the in-memory twin keeps of submissions beside their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from crane_celery.errors import LimitReached, NotFound
from crane_celery.model.dependency import blocks_of
from crane_celery.store.api import Submission
from crane_celery.store.memory.budget import BodyBudget
from crane_celery.store.memory.log import Log

_DAY_S = 86400.0


class Accepted:
    """Ids given out, bodies, idempotency keys."""

    def __init__(self, log: Log) -> None:
        """Nothing was submitted."""
        self.log = log
        self.bodies: dict[int, bytes] = {}
        self.budget = BodyBudget()
        self.keys: dict[str, tuple[int, float]] = {}
        self.last = 0

    def seen(self, key: str) -> int:
        """The id that this key got within a day, else 0."""
        id_, at = self.keys.get(key, (0, 0.0))
        return id_ if key and self.log.now() - at < _DAY_S else 0

    def refuse_unknown(self, dep: str) -> None:
        """Raise NotFound when a dependency names an id that was never given out."""
        for block in blocks_of(dep):
            if block.kind == "singleton":
                continue
            wrong = [i for i in (block.job, block.first, block.first + block.count - 1) if not 1 <= i <= self.last]
            if wrong:
                raise NotFound(f"there is no job {wrong[0]}; see cqueue and cacct for what there is")

    def refuse_beyond(self, jobs: Sequence[Submission]) -> None:
        """Raise LimitReached where a user would have more than the limits of a new submission allow."""
        held: Counter[tuple[int, str]] = Counter()  # by user, and what is counted
        for job in self.log.records.jobs.values():
            for where in ("cluster", f"partition {job.spec.partition}"):
                held[job.spec.uid, where] += job.ended < job.count
        held.update({(uid, "bytes"): count for uid, count in self.budget.held.items()})
        brought: set[str] = set()
        for new in jobs:
            kinds = "cluster", f"partition {new.spec.partition}", "bytes"
            costs = 1, 1, self.budget.cost(new.spec, new.body, brought)
            for what, most, cost in zip(kinds, new.limits, costs, strict=True):
                held[new.spec.uid, what] += cost
                if most and held[new.spec.uid, what] > most:
                    name = "MaxSubmitBytes" if what == "bytes" else f"MaxSubmitJobs of this {what.split()[0]}"
                    raise LimitReached(f"{name} is {most}: {cost} more are too much")
