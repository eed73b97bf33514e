"""What the in-memory twin keeps of submissions beside their records."""

from __future__ import annotations

from collections.abc import Sequence

from crane_celery.errors import LimitReached, NotFound
from crane_celery.model.dependency import blocks_of
from crane_celery.store.api import Submission
from crane_celery.store.memory.log import Log

_DAY_S = 86400.0


class Accepted:
    """Ids given out, bodies, idempotency keys."""

    def __init__(self, log: Log) -> None:
        """Nothing was submitted."""
        self.log = log
        self.bodies: dict[int, bytes] = {}
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
        """Raise LimitReached when these are beyond MaxSubmitJobs of their user, altogether or in the partition."""
        living: dict[tuple[int, str | None], int] = {}  # by user and partition, None = altogether
        for job in self.log.records.jobs.values():
            for where in (None, job.spec.partition):
                living[job.spec.uid, where] = living.get((job.spec.uid, where), 0) + job.count - job.ended
        for new in jobs:
            for where, most in zip((None, new.spec.partition), new.limits, strict=True):
                before = living.get((new.spec.uid, where), 0)
                living[new.spec.uid, where] = before + new.count
                if most and before + new.count > most:
                    raise LimitReached(
                        f"MaxSubmitJobs is {most}: {before} have not ended, {new.count} more are too many"
                    )
