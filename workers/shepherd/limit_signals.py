"""The signals before a run's time limit (``--signal``): when each is due, whom it reaches, and that it is sent once.

``B:`` names the script's own process. Otherwise the steps get it that run then; where none does, every process of the
script's leaf, but for a script that would die of it while a child of it is prepared.

A moment that has passed is now: when the lead is not shorter than the limit, when the limit is shortened, when a
suspended run goes on, when a shepherd comes back. A limit that is extended makes a moment ahead again, and the signal
is then due again.
"""

import contextlib
import signal
import time
from functools import partial

from workers.cgroup import Leaf
from workers.cgroup.procs import handles, send
from workers.shepherd.records import PRIMARY, SCRIPT, Run, Step
from workers.shepherd.runs import Herd

#: seconds that a step may take from its start to prepare for a signal that is due; at most half of its run's limit
PATIENCE_S = 5.0
_LOOK_S = 0.02
_UNSTOPPABLE = frozenset((signal.SIGKILL, signal.SIGSTOP))


class LimitSignals:
    """Those of all runs of a node. `Run.warn` has what is asked for, `Run.warned` the places in it that were sent."""

    def __init__(self, herd: Herd) -> None:
        """Use the herd's timers, journal and leaves."""
        self._herd = herd

    def arm(self, run: Run, end: float) -> None:
        """Set the timers of a run whose limit is reached at ``end`` (monotonic); those of an earlier alarm are void."""
        now = time.monotonic()
        ahead = {place for place, (_, before, _) in enumerate(run.warn) if end - before > now}
        if run.warned & ahead:
            run.warned -= ahead
            self._herd.ledger.warned(run)
        for place, (_, before, _) in enumerate(run.warn):
            if place not in run.warned:
                self._herd.timers.at(end - before, partial(self._due, run, run.alarm, place))

    def _due(self, run: Run, alarm: int, place: int) -> None:
        """Send it, once those it reaches are prepared or have had time to be."""
        current = run.alarm == alarm and self._herd.ledger.runs.get(run.key) is run
        if not current or run.primary.cause or run.primary.done:
            return
        number, _, scope = run.warn[place]
        targets = self._targets(run, scope)
        if all(self._prepared(run, step, number) for step in targets):
            self._send(run, place, targets)
        else:
            self._herd.timers.at(time.monotonic() + _LOOK_S, partial(self._due, run, alarm, place))

    @staticmethod
    def _targets(run: Run, scope: str) -> list[Step]:
        steps = [step for step in run.steps.values() if step.number != PRIMARY and not step.done]
        return [run.primary] if scope == "B" or not steps else steps

    def _prepared(self, run: Run, step: Step, number: int) -> bool:
        if not step.began or step.flying:
            return False
        patience = min(PATIENCE_S, run.limit / 2)
        late = number in _UNSTOPPABLE or time.monotonic() >= step.began + patience
        return late or any(handles(pid, number) for pid in self._herd.leaf(run, step.number).pids())

    def _send(self, run: Run, place: int, targets: list[Step]) -> None:
        """Journal it first: a shepherd that comes after must not send it again."""
        run.warned.add(place)
        self._herd.ledger.warned(run)
        with contextlib.suppress(OSError):  # a full disk: the signal matters more
            self._herd.ledger.commit()
        number, _, scope = run.warn[place]
        for step in targets:
            if scope == "B":
                self._herd.signal(run.key, SCRIPT, number)
            elif step.number == PRIMARY and (spared := self._spared(run, number)):
                leaf = self._herd.leaf(run, PRIMARY)
                send(partial(_others, leaf, spared), number)
            else:
                self._herd.signal(run.key, step.number, number)

    def _spared(self, run: Run, number: int) -> set[int]:
        """The script's own process, where the signal would end it and a child of it is prepared."""
        own = {pid for pid, _ in run.primary.pids.values()}
        prepared = {pid for pid in self._herd.leaf(run, PRIMARY).pids() if handles(pid, number)}
        return own if prepared and not own & prepared else set()


def _others(leaf: Leaf, spared: set[int]) -> list[int]:
    return [pid for pid in leaf.pids() if pid not in spared]
