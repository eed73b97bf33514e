"""What a cycle decided: starts, and for every class that found no room, why. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from crane_celery.model.job import Allocation
from crane_celery.model.states import Reason
from crane_celery.sched.want import Want


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
    """What a cycle may be told."""

    #: so many starts at most, so that the leader reads events in between; the rest waits for the next cycle
    max_starts: int = 512
    #: seconds that a job whose dependency can never be met stays, before it is cancelled
    invalid_depend_grace_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Starts in the order in which they are to be committed."""

    starts: list[Placement]
    #: wants for which no room is left
    blocked: Mapping[Want, Why] = field(default_factory=dict)
    #: stopped at ``max_starts``: another cycle should follow at once
    partial: bool = False
