"""The store on a Redis or Valkey server: every verb is one Lua script; reads come in portions as flat text.

The contract is store.api; keys are store.keys; records are store.codec. There is one class for each of
its Protocols, which knows the link and the keys alone; RedisStore is all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from crane_celery.store.api import Snapshot
from crane_celery.store.keys import Keys
from crane_celery.store.link import Link
from crane_celery.store.redis.events import RedisEvents
from crane_celery.store.redis.jobs import RedisJobs
from crane_celery.store.redis.leader import RedisLeader
from crane_celery.store.redis.nodes import RedisNodes
from crane_celery.store.redis.runs import RedisRuns


class RedisStore(RedisJobs, RedisRuns, RedisNodes, RedisLeader, RedisEvents):
    """store.api.Store on a server; safe to share between threads; connects when first used."""

    def __init__(
        self,
        url: str,
        prefix: str,
        disk_guard: Callable[[], None] | None = None,
        last_id: Callable[[], int] = lambda: 0,
    ) -> None:
        """``prefix``: the cluster's hash tag. ``disk_guard`` is called before every submit: it raises DiskFull when
        the server's disk is nearly full, so that the last free space is kept for work that runs. ``last_id`` is asked
        where the server never gave out an id: the highest that it may have before it lost its data."""
        keys = Keys(prefix)
        super().__init__(Link(url, keys.prefix), keys, disk_guard, last_id)

    def snapshot(self) -> Snapshot:
        """All live records, read after the event that they are said to hold from. See store.api.

        Runs are read before submissions: one that ended in between, and is pending again, is then known as a run, or as
        pending, or as both, until its event comes; never as neither, which would lose it. The time is read last: no
        stamp in there lies after it.
        """
        seq, elements, jobs, nodes = self.last_event(), self.elements(), self.jobs(), self.nodes()
        return Snapshot(seq, self.now(), jobs, elements, nodes)

    def close(self) -> None:
        """Let go of connections."""
        self.link.close()

    def ping(self) -> float:
        """Round trip to the server in seconds. Raises Unreachable."""
        begin = time.perf_counter()
        self.link.do("PING")
        return time.perf_counter() - begin
