"""The in-memory twin of the store: the same contract (store.api), for tests and for looking at what a plan would do.

Not durable, one process, and its reads cost all records known; otherwise a caller cannot tell it from a server. There
is one class for each Protocol; what they share is their state (part.Shared), a few objects that each know one thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from crane_celery.store.memory.events import MemoryEvents
from crane_celery.store.memory.jobs import MemoryJobs
from crane_celery.store.memory.leader import MemoryLeader
from crane_celery.store.memory.nodes import MemoryNodes
from crane_celery.store.memory.part import Shared
from crane_celery.store.memory.runs import MemoryRuns


class MemoryStore(MemoryJobs, MemoryRuns, MemoryNodes, MemoryLeader, MemoryEvents):
    """store.api.Store in memory; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock`` stands for the server's: seconds since the epoch."""
        super().__init__(Shared(clock))

    def close(self) -> None:
        """Nothing to let go of."""

    def ping(self) -> float:
        """No distance at all."""
        return 0.0
