"""Leadership: a lease with a fence, renewed at a third of its time, and what stands by or steps down around it.

A standby asks at the same pace, so a dead leader is replaced within one and a third of the lease (5 s: 6.7 s), one
that resigned within a third. A leader that was away too long learns it from the store: every verb carries the fence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from beat.dispatch import Dispatcher
from beat.loop import Inconsistent, Loop
from beat.reaper import Reaper
from crane_celery import faults
from crane_celery.errors import CraneError, StaleFence, Unreachable
from crane_celery.sched.plan import Config
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.usage import Usage
from crane_celery.settings import Settings
from crane_celery.store.api import LeaderStore, Store
from crane_celery.store.clock import ServerClock

log = logging.getLogger(__name__)

TTL_S = 5.0
#: pauses after failures: doubled each time, up to the longest
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class Lease:
    """One contender's hold on the lease."""

    def __init__(self, store: LeaderStore, holder: str, monotonic: Callable[[], float], ttl_s: float = TTL_S) -> None:
        self._store = store
        self._holder = holder
        self._monotonic = monotonic
        self._fence = 0
        self._due = 0.0
        self._ttl_s = ttl_s
        #: seconds between renewals, and between a standby's tries
        self.pace_s = ttl_s / 3

    @property
    def left_s(self) -> float:
        """Seconds until the next renewal is due."""
        return max(0.0, self._due - self._monotonic())

    def keep(self) -> int:
        """The fence while we lead, 0 while another does. Asks the store only when a renewal is due."""
        now = self._monotonic()
        if not self._fence or now >= self._due:
            self._fence = self._store.lead(self._holder, self._ttl_s)
            self._due = now + self.pace_s
        return self._fence

    def doubt(self) -> None:
        """Ask the store again next time."""
        self._due = 0.0

    def resign(self) -> None:
        """Give it up, if we may have it. Idempotent."""
        if self._fence:
            self._fence = 0
            self._store.resign(self._holder)


class Leader:
    """Stands by, leads, steps down; survives the server's absence. ``turn()`` is called for ever."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        dispatcher: Dispatcher,
        holder: str,
        monotonic: Callable[[], float],
        known_usage: Callable[[float], Mapping[int, float]] = lambda _now: {},
    ) -> None:
        """``known_usage``: what users had used lately (sched.usage) by server time, as the history has it."""
        self._store = store
        self._settings = settings
        self._dispatcher = dispatcher
        self._monotonic = monotonic
        self._known_usage = known_usage
        self._lease = Lease(store, holder, monotonic)
        self._loop: Loop | None = None
        self._failures = 0

    @property
    def leads(self) -> bool:
        """Return whether this scheduler leads, as far as it knows."""
        return self._loop is not None

    def turn(self) -> float:
        """One turn as leader, or one try to become it; returns seconds to sleep before the next.

        Never raises for anything the server or the network does; a bug is logged and answered by starting afresh, so
        that no poisoned record can end the scheduler for good.
        """
        try:
            pause = self._turn()
        except StaleFence:
            log.warning("another scheduler leads now: standing by")
            return self._step_down(self._lease.pace_s)
        except Unreachable as error:
            log.warning("the server does not answer: %s", error)
            return self._step_down(self._pause())
        except CraneError as error:
            log.error("turn failed: %s", error)
            return self._step_down(self._pause())
        except Exception:
            faults.record("a turn of the scheduler failed")
            return self._step_down(self._pause())
        self._failures = 0
        return pause

    def _turn(self) -> float:
        paced = self._lease.left_s == 0
        fence = self._lease.keep()
        if not fence:
            self._loop = None
            return self._lease.pace_s
        if self._loop is None or self._loop.fence != fence or (paced and self._loop.gap()):
            self._loop = self._take_over(fence)
        try:
            self._loop.turn(self._lease.left_s)
        except Inconsistent:
            self._loop.rebuild()
            return 1.0
        return 0.0

    def _take_over(self, fence: int) -> Loop:
        log.warning("leading, fence %d", fence)
        reaper = Reaper(self._store, self._settings, fence, self._monotonic)
        clock = ServerClock(self._store.now, self._monotonic)
        return Loop(
            self._store,
            self._settings.partitions,
            fence,
            self._dispatcher,
            reaper,
            clock,
            self._config(),
            self._usage(clock),
        )

    def _usage(self, clock: ServerClock) -> Usage:
        """Return what users have used lately; nothing where the history does not answer, since the queue must go on."""
        now = clock.now()
        try:
            return Usage(self._settings.priority.half_life_s, self._known_usage(now), now)
        except CraneError as error:
            log.warning("fair shares begin at nought: %s", error)
            return Usage(self._settings.priority.half_life_s)

    def _config(self) -> Config:
        settings = self._settings
        cpus = sum(node.cpus for node in settings.nodes.values())
        return Config(
            invalid_depend_grace_s=settings.invalid_depend_grace_s,
            ranking=Ranking(settings.priority, {}, cpus),
            draining=settings.draining,
            licenses=settings.licenses,
            max_jobs=settings.max_jobs,
        )

    def _step_down(self, pause_s: float) -> float:
        """Forget the view: what we know may be out of date. The lease is left to run out, or is taken up again."""
        self._loop = None
        self._lease.doubt()
        return pause_s

    def _pause(self) -> float:
        self._failures += 1
        return float(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._failures - 1)))

    def close(self) -> None:
        """Resign and let go. Idempotent; quiet when the server is gone, since the lease runs out by itself."""
        self._loop = None
        try:
            self._lease.resign()
        except CraneError as error:
            log.warning("could not resign: %s", error)
        self._dispatcher.close()
        self._store.close()
