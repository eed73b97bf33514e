"""Define what a cycle decided: starts, and for every class that found no room, why. Data only."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from crane_celery.model.job import Allocation
from crane_celery.model.states import Reason
from crane_celery.model.weights import Draining
from crane_celery.sched.draining import Drain
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.queue import Kind
from crane_celery.sched.timeline import Hold


class Placement(NamedTuple):
    """One element to start; same fields as ``store.api.Start``."""

    job: int
    rank: int
    run: int
    allocation: tuple[Allocation, ...]


class Why(NamedTuple):
    """Why a job, or some of its elements, are pending: what was needed, and the most that there was."""

    reason: Reason
    what: str = ""  # "CPUs on one node", "nodes", ...
    needed: float = 0.0
    available: float = 0.0


@dataclass(frozen=True, slots=True)
class Config:
    """Record of what a cycle may be told."""

    #: so many starts at most, so that the leader reads events in between; the rest waits for the next cycle
    max_starts: int = 512
    #: seconds that a job whose dependency can never be met stays, before it is cancelled
    invalid_depend_grace_s: float = 300.0
    #: rooms kept for those that find none: altogether, and of one class; and ends looked at to find them
    rooms: int = 100
    rooms_of_class: int = 10
    budget: int = 50_000
    #: False: nobody passes one that finds no room (first come, first served: for comparison)
    backfill: bool = True
    ranking: Ranking = field(default_factory=Ranking)
    draining: Draining = field(default_factory=Draining)
    #: licences of the cluster
    licenses: Mapping[str, int] = field(default_factory=dict)
    #: elements of one user at once, over all partitions; 0 = no limit
    max_jobs: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Starts in the order in which they are to be committed."""

    starts: list[Placement]
    #: classes that were looked at and cannot start, each with its reason
    blocked: Mapping[Kind, Why] = field(default_factory=dict)
    #: stopped at ``max_starts``: another cycle should follow at once
    partial: bool = False
    #: rooms kept for those that found none, in the order of priority
    holds: Sequence[Hold] = ()
    #: nodes drained towards elements for which no start is known; the next plan is to be given these
    drains: Sequence[Drain] = ()
    #: classes that nodes would be drained for, were it not for those ahead
    hungry: Set[Kind] = frozenset()
    #: some classes were not looked at: they are behind others
    unseen: bool = False
