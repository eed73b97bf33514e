"""What the shepherd's loop has to do when. Standard library only."""

import heapq
import time
from collections.abc import Callable


class Timers:
    """What is due when, on the monotonic clock."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do it then."""
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, act))

    def wait(self) -> float | None:
        """Seconds until the next is due; None = nothing is."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def run(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
