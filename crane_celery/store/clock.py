"""The server's time, known on another host: what everybody but the server uses to compare with the server's stamps.

A host cannot know the server's time; it can only bound it. What the server has stamped has happened, so each stamp
that arrives (of an event, of an answer) is a moment that the server's clock has passed by now. The clock here is the
best of these lower bounds, carried on by the host's monotonic clock: it is never ahead of the server, and behind it
by what the quickest answer took at most. One slow answer does no harm, since a better bound replaces it.

Two things can make it wrong, and both are found by the next measurement (``refresh``), whose question gives an upper
bound too. The two clocks drift apart: a bound loses ``DRIFT`` of its age, so that it stays one. And somebody sets the
server's clock: forward is but a better bound; back (the server's answer lies before a moment that it has passed
already) makes the clock follow, and counts in ``set_back``, for those who remember times that have not come now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf

log = logging.getLogger(__name__)

#: two hosts' clocks drift apart by so much of the time that passes, at most
DRIFT = 1e-4
#: the server's clock was set back when it is found so many seconds earlier; less is drift
_SET_BACK_S = 1.0
#: questions of one ``sync``: the quickest answer counts
_TRIES = 3


class ServerClock:
    """The server's time, never ahead of it. May be shared between threads."""

    def __init__(self, ask: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        """``ask``: the server's time (store.api ``now``), may raise Unreachable. Nothing is asked before first use."""
        self._ask = ask
        self._monotonic = monotonic
        self._bound = (-inf, 0.0)  # server time - monotonic time at least, known when (monotonic)
        self._measured_at = -inf
        #: how often the server's clock was found to have been set back by more than a second
        self.set_back = 0

    def now(self) -> float:
        """Server time. Raises Unreachable when nothing is known of it yet."""
        offset = self.offset
        return self._monotonic() + offset

    @property
    def offset(self) -> float:
        """Server time - monotonic time. Raises Unreachable as ``now``."""
        if self._measured_at == -inf:
            self.sync()
        return self._ahead(self._monotonic())

    def stamped(self, stamp: float) -> None:
        """The server has stamped this, so its clock has passed it."""
        at = self._monotonic()
        if stamp - at > self._ahead(at):
            self._bound = stamp - at, at

    def answered(self, stamp: float, asked_at: float) -> None:
        """The server stamped this after it was asked (at a monotonic time)."""
        at = self._monotonic()
        self._measured_at = at
        latest = stamp - asked_at  # the offset at most
        if latest < self._ahead(at):
            self._adopt(self._ahead(at) - latest)
        self.stamped(stamp)

    def _adopt(self, too_far_s: float) -> None:
        """The bound is none (any more): forget it."""
        self._bound = -inf, 0.0
        if too_far_s > _SET_BACK_S:
            self.set_back += 1
            log.warning("the server's clock was set back by %.1f s or more", too_far_s)

    def measure(self) -> None:
        """Ask the server once. Raises Unreachable."""
        asked_at = self._monotonic()
        self.answered(self._ask(), asked_at)

    def sync(self) -> None:
        """Ask a few times in a row, for the quickest answer. Raises Unreachable."""
        for _ in range(_TRIES):
            self.measure()

    def refresh(self, every_s: float) -> None:
        """Ask once, unless the last answer is younger than so many seconds. Raises Unreachable."""
        if self._monotonic() - self._measured_at >= every_s:
            self.measure()

    def _ahead(self, at: float) -> float:
        """The offset at least, as it is known at a monotonic time."""
        bound, known_at = self._bound
        return bound - DRIFT * (at - known_at)
