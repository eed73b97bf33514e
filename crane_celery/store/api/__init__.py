"""The store's verbs, as Protocols split by who needs them. Implementations: store.redis, store.memory.

Rules for every verb: atomic (all of it happens, or none; what changes very many elements may do so in portions, each
atomic, and calling it again after an error does the rest); guarded on the old state, so that repeating it is harmless;
stamped with the store's own clock; appends its event (model.event) in the same step. Verbs that take a ``fence`` or
an ``epoch`` raise ``StaleFence`` when a newer one exists, and change nothing. Times are server seconds. Any verb may
raise ``Unreachable`` when the server does not answer, ``DiskFull`` when it refuses writes.
"""

from __future__ import annotations

from typing import Protocol

from crane_celery.store.api.events import EventLog
from crane_celery.store.api.jobs import (
    NOBODY,
    REQUEUE,
    Cancelled,
    Changing,
    JobStore,
    Limits,
    Requeue,
    Requeued,
    Submission,
)
from crane_celery.store.api.leader import Answer, Forgotten, LeaderStore, Question, Snapshot
from crane_celery.store.api.nodes import Beat, NodeStore, Registration
from crane_celery.store.api.runs import Began, Ended, Moved, Report, RunStore, Start, Wanted

__all__ = [
    "NOBODY",
    "REQUEUE",
    "Answer",
    "Beat",
    "Began",
    "Cancelled",
    "Changing",
    "Ended",
    "EventLog",
    "Forgotten",
    "JobStore",
    "LeaderStore",
    "Limits",
    "Moved",
    "NodeStore",
    "Question",
    "Registration",
    "Report",
    "Requeue",
    "Requeued",
    "RunStore",
    "Snapshot",
    "Start",
    "Store",
    "Submission",
    "Wanted",
]


class Store(JobStore, RunStore, NodeStore, LeaderStore, EventLog, Protocol):
    """All of it: what bootstrap hands out."""

    def close(self) -> None:
        """Let go of connections."""

    def ping(self) -> float:
        """Round trip to the server in seconds. Raises Unreachable."""
