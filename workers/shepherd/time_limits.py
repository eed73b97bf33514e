"""Define what holds a run to its time: its limit, its deadline, the signals before the limit, and being suspended.

A run's own clock stands still while it is suspended; its deadline does not. What is wanted of a run comes again and
again (heartbeats), so it is absolute, and what is already so changes nothing.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Mapping

from crane_celery.wire.node import RunMoved
from workers.cgroup import CgroupError
from workers.shepherd.journal import Key
from workers.shepherd.limit_signals import LimitSignals
from workers.shepherd.records import PRIMARY, Run
from workers.shepherd.runs import Herd

#: a deadline told twice differs by what the two clocks are compared with
_SAME_S = 0.5
#: a start is under way in the group: it cannot be frozen yet
_SOON_S = 0.02


class Reins:
    """The times of all runs of a node."""

    def __init__(self, herd: Herd) -> None:
        """Takes the herd's hooks for begins and stops."""
        self._herd = herd
        self._signals = LimitSignals(herd)
        herd.on_begin, herd.before_stop = self.arm, self.let_go
        #: told of each run that goes on
        self.on_resume: Callable[[Run], None] = lambda _run: None

    def arm(self, run: Run) -> None:
        """Set its timers anew; those set before mean nothing any more."""
        run.alarm += 1
        alarm, began = run.alarm, run.primary.began
        if run.deadline:
            self._herd.timers.at(run.deadline, lambda: self._due(run, alarm, "deadline"))
        if not run.limit or not began or run.suspended_at:
            return
        end = began + run.limit + run.suspended_s
        self._herd.timers.at(end, lambda: self._due(run, alarm, "limit"))
        self._signals.arm(run, end)

    def _due(self, run: Run, alarm: int, cause: str) -> None:
        if run.alarm == alarm and self._herd.ledger.runs.get(run.key) is run:
            self._herd.stop(run.key, PRIMARY, cause)

    def order(self, key: Key, wanted: Mapping[str, float]) -> None:
        """Make it so: ``limit`` (seconds, 0 = none), ``deadline`` (monotonic, 0 = none), ``suspend``. A run that is not
        there, or is being started, hears of it with the next heartbeat."""
        run = self._herd.ledger.runs.get(key)
        if run is None or run.draining:
            return
        limit, deadline = wanted.get("limit", run.limit), wanted.get("deadline", run.deadline)
        if limit != run.limit or abs(deadline - run.deadline) > _SAME_S:
            run.limit, run.deadline = limit, deadline
            self._herd.ledger.order(run)
            self.arm(run)
        if "suspend" in wanted and bool(wanted["suspend"]) != bool(run.suspended_at):
            (self._suspend if wanted["suspend"] else self._resume)(run)

    def _suspend(self, run: Run) -> None:
        if run.primary.cause or not run.primary.began:
            return  # it is being stopped, or has not begun
        if run.flying:
            self._herd.timers.at(time.monotonic() + _SOON_S, lambda: self.order(run.key, {"suspend": 1}))
            return
        group = self._herd.group(run)
        with contextlib.suppress(CgroupError, OSError):
            if group.freeze():
                run.suspended_at = time.monotonic()
                self._tell(run, "Suspended", run.suspended_at)
                return
        group.thaw()  # not all of it would stop: tried again with the next heartbeat

    def _resume(self, run: Run) -> None:
        self._thaw(run)
        self._tell(run, "Running", time.monotonic())
        self.on_resume(run)

    def _thaw(self, run: Run) -> None:
        self._herd.group(run).thaw()
        run.suspended_s += time.monotonic() - run.suspended_at
        run.suspended_at = 0.0

    def _tell(self, run: Run, state: str, when: float) -> None:
        self._herd.ledger.order(run)
        self._herd.ledger.report(RunMoved(*run.key, state, when), durable=True)
        self.arm(run)

    def let_go(self, run: Run) -> None:
        """It is going to be stopped: what is frozen hears nothing."""
        if run.suspended_at:
            self._thaw(run)
            self._herd.ledger.order(run)
            self._herd.signal(run.key, PRIMARY, signal.SIGCONT)
