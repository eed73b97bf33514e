"""Decide who comes first: the multifactor priority (reference/cranesched.md section 7.2), and turns among equals. Pure.

Priorities are rounded to whole numbers: among those that are equal, the user with the fewest elements at work goes
first, so an array never starves anybody else's jobs; then the order of submission counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crane_celery.model.job import Job, JobSpec
from crane_celery.model.weights import Priority


@dataclass(frozen=True, slots=True)
class Ranking:
    """Record of what priorities are made of. ``shares``: uid -> 1 for who used nothing lately, towards 0 for who
    used much."""

    weights: Priority = field(default_factory=Priority)
    shares: Mapping[int, float] = field(default_factory=dict)
    #: of the largest partition: what a job's size is compared with
    cpus: float = 1.0

    def value(self, job: Job, spec: JobSpec, now: float) -> float:
        """The priority of a submission (of a part of it, whose specification is ``spec``). One that was set stands in
        for the usual one; time and use count on top of either."""
        base = float(spec.priority) if spec.priority != job.spec.priority else job.priority
        if self.weights.kind == "basic":
            return base
        weights = self.weights
        age = min(max(now - max(job.submitted_at, spec.begin), 0.0), weights.max_age_s) / (weights.max_age_s or 1.0)
        size = min(1.0, spec.ntasks * spec.cpus_per_task / (self.cpus or 1.0))
        factors = weights.age * age + weights.fair_share * self.shares.get(spec.uid, 1.0)
        factors += weights.size * (1.0 - size if weights.favor_small else size)
        return float(round(base + factors))


def shares(usage: Mapping[int, float]) -> dict[int, float]:
    """Fair-share factors of what users used lately: 2^-(a user's part x number of users), 0.5 for an equal part."""
    total = sum(usage.values())
    return {uid: 2.0 ** -(used / total * len(usage)) for uid, used in usage.items()} if total > 0 else {}
