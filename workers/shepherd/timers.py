"""Timers of the shepherd's loop, on the monotonic clock. Standard library only."""

import heapq
import math
import time
from collections.abc import Callable

from crane_celery import faults

#: seconds: epoll takes 24 days at most; to wake once an hour costs nothing
_LONGEST_WAIT_S = 3600.0


class Timers:
    """Callbacks, each with the monotonic second at which it is due."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call ``act`` at ``when`` (monotonic seconds).

        Raises ValueError for a time that is no number: it would hold up all others.
        """
        if math.isnan(when):
            raise ValueError("a timer needs a time")
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, act))

    def wait(self) -> float | None:
        """Return the seconds to wait: until the next is due, an hour at most; None = nothing is."""
        return min(_LONGEST_WAIT_S, max(0.0, self._heap[0][0] - time.monotonic())) if self._heap else None

    def run(self) -> None:
        """Run the callbacks that are due; one that fails costs the others nothing."""
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            act = heapq.heappop(self._heap)[2]
            try:
                act()
            except Exception:
                faults.record("a timer failed:", repr(act))
