"""Close descriptors that strangers sent, off the shepherd's loop. Standard library only.

close(2) of a socket with SO_LINGER blocks for as long as its owner likes, and so does closing a connection in which
such a descriptor lies unread. So each user's are closed by a thread of that user's own, which ends when there is
nothing left to close; what is not closed yet counts against that user's budget of descriptors.
"""

import contextlib
import os
import threading
from collections import Counter, deque


class Closer:
    """One closing thread for each user, and the descriptors that wait for it."""

    def __init__(self) -> None:
        """Nothing to close."""
        self._lock = threading.Lock()
        self._queues: dict[int, deque[int]] = {}
        self._left: Counter[int] = Counter()
        self._running: set[int] = set()

    def close(self, uid: int, fd: int) -> None:
        """Close a descriptor that this user sent; never blocks."""
        with self._lock:
            self._left[uid] += 1
            self._queues.setdefault(uid, deque()).append(fd)
            if uid in self._running:
                return
            self._running.add(uid)
        try:
            threading.Thread(target=self._run, args=(uid,), name=f"close-{uid}", daemon=True).start()
        except RuntimeError:  # the host has no room for a thread now: the next descriptor tries again
            self._running.discard(uid)

    def left(self, uid: int) -> int:
        """Return how many descriptors of a user are not closed yet."""
        return self._left[uid]

    def _run(self, uid: int) -> None:
        while (fd := self._next(uid)) is not None:
            with contextlib.suppress(OSError):
                os.close(fd)
            with self._lock:
                self._left[uid] -= 1

    def _next(self, uid: int) -> int | None:
        with self._lock:
            if queue := self._queues[uid]:
                return queue.popleft()
            del self._queues[uid], self._left[uid]
            self._running.discard(uid)
            return None
