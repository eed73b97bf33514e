"""Keeps one bad record from stopping the scheduler: what fails is recorded and passed over, all else goes on.

An event that the view cannot take leaves the view in doubt, so the whole state is read again, but at most once in
REPAIR_S: a stream full of such events must not keep the leader reading. A class of submissions that makes planning
fail is found by halving and left out until the state is read again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec

from crane_celery import faults
from crane_celery.errors import CraneError
from crane_celery.model.event import Event
from crane_celery.model.event_checks import UNREADABLE
from crane_celery.sched.culprits import culprits
from crane_celery.sched.cycle import schedule
from crane_celery.sched.draining import Drain
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.queue import PARTS, Kind
from crane_celery.sched.view import View

log = logging.getLogger(__name__)

#: seconds between two readings of the whole state because of events that could not be applied
REPAIR_S = 30.0

_P = ParamSpec("_P")


class Isolation:
    """The guards of one leadership."""

    def __init__(self) -> None:
        """Begin with nothing passed over."""
        self._without: frozenset[Kind] = frozenset()
        self._spoiled = False
        self._repaired_at = -REPAIR_S

    def rebuilt(self, view: View) -> None:
        """Take note of a new view: record what it passed over, plan everything again."""
        self._without, self._spoiled = frozenset(), False
        for what, error in view.passed_over:
            _record(f"the scheduler passes over a record of the server: {what}", error)

    def apply(self, view: View, events: Iterable[Event]) -> None:
        """Apply each event; one that fails is recorded, one that could not be read was recorded before."""
        for event in events:
            self._spoiled |= event.kind == UNREADABLE
            try:
                view.apply(event)
            except Exception:
                faults.record("the scheduler passes over an event:", f"{event.seq} {event.kind}")
                self._spoiled = True

    def needs_repair(self, now: float) -> bool:
        """Return whether the whole state is to be read again now; counts as done when it says so."""
        if not self._spoiled or now < self._repaired_at + REPAIR_S:
            return False
        self._repaired_at = now
        return True

    def plan(self, view: View, now: float, config: Config, last: Plan | None, drains: Sequence[Drain]) -> Plan:
        """Return a plan; if planning fails, one without the classes that make it fail."""
        try:
            return schedule(view, now, config, last, drains, self._without)
        except Exception:
            faults.record("planning failed")

        def attempt(without: frozenset[Kind]) -> Plan:
            return schedule(view, now, config, None, (), self._without | without)

        found = culprits(attempt, [each.kind for each in view.queue if each.kind not in self._without])
        for kind, error in found.items():
            jobs = sorted({unit // PARTS for each in view.queue if each.kind == kind for unit in each.ids})
            _record(f"the scheduler passes over jobs {', '.join(map(str, jobs[:20]))}: they make planning fail", error)
        self._without |= found.keys()
        return attempt(frozenset())


def guarded(doing: str, act: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Do a chore; record an unexpected fault of it, and go on. Raises CraneError."""
    try:
        act(*args, **kwargs)
    except CraneError:
        raise
    except Exception:
        faults.record(doing)


def _record(text: str, error: Exception) -> None:
    """Record a fault that was met earlier; the log names each item, the counts one for each place."""
    log.error("%s (%s)", text, error)
    try:
        raise error
    except Exception:
        faults.record(text)
