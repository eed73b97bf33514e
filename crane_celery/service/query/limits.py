"""What may be short beside nodes: licences, and elements of one user at work. Pure; counted once for all jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.states import HOLDING, Reason
from crane_celery.sched.licences import Licences, held
from crane_celery.settings import Settings


class Limits(NamedTuple):
    """What the cluster allows; 0 = no limit."""

    licenses: Mapping[str, int]
    #: elements of one user at work, altogether and by partition
    max_jobs: int = 0
    max_jobs_in: Mapping[str, int] = {}


class Scarce(NamedTuple):
    """What is taken of it."""

    limits: Limits
    licences: Licences
    #: elements at work by uid, and by (uid, partition)
    active: Mapping[int, int]
    active_in: Mapping[tuple[int, str], int]

    def lack(self, job: Job, spec: JobSpec) -> Reason | None:
        """What keeps a job with this specification from starting, None = nothing of that kind."""
        limits, uid = self.limits, job.spec.uid
        if limits.max_jobs and self.active.get(uid, 0) >= limits.max_jobs:
            return Reason.USER_LIMIT
        most = limits.max_jobs_in.get(spec.partition, 0)
        if most and self.active_in.get((uid, spec.partition), 0) >= most:
            return Reason.USER_LIMIT
        return Reason.LICENSES if spec.licenses and self.licences.lack(spec.licenses) else None


def scarce(limits: Limits, jobs: Iterable[Job], elements: Iterable[Element]) -> Scarce:
    """Count what is at work, where anything is limited. Linear."""
    used: dict[str, int] = {}
    active: dict[int, int] = {}
    active_in: dict[tuple[int, str], int] = {}
    limited = limits.max_jobs or any(limits.max_jobs_in.values())
    working = [each for each in elements if each.state in HOLDING] if limits.licenses or limited else []
    owners = {job.id: job.spec for job in jobs} if working and limited else {}
    for element in working:
        for name, count in held(element.allocation).items():
            used[name] = used.get(name, 0) + count
        if spec := owners.get(element.job):
            active[spec.uid] = active.get(spec.uid, 0) + 1
            active_in[spec.uid, spec.partition] = active_in.get((spec.uid, spec.partition), 0) + 1
    return Scarce(limits, Licences(limits.licenses, used), active, active_in)


def limits_of(settings: Settings) -> Limits:
    """What is limited beside nodes."""
    by_partition = {name: each.max_jobs for name, each in settings.partitions.items()}
    return Limits(settings.licenses, settings.max_jobs, by_partition)
