"""Budgets of a gateway for each user, so that what one does holds up that one only.

Connections: each user may have as many as are left free, up to a maximum; so whoever comes next finds some. Root, the
operators and the daemons' own user have a reserve beside that. Requests at work: a user's threads take turns, so that
a flood of requests has a small and fixed share of the interpreter. Bytes of requests that are being read or worked on.
Listings that are watched and jobs that are waited for, since each keeps a thread and is made anew at every change.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from crane_celery.errors import LimitReached


class Bounds(NamedTuple):
    """The numbers."""

    connections: int = 1024  # of all users without a privilege
    per_user: int = 256
    reserve: int = 64  # beside them, for the privileged
    working: int = 2  # requests of one user at work
    working_privileged: int = 16
    size: int = 128 << 20  # bytes of one user's requests
    following: int = 128  # watches and waits of one user
    patience_s: float = 120.0  # for a turn


BOUNDS = Bounds()


class Budgets:
    """Counts by user. Safe to share between threads."""

    def __init__(self, privileged: Callable[[int], bool], bounds: Bounds = BOUNDS) -> None:
        """``privileged``: whether a uid is root's, an operator's, or the daemons' own."""
        self._privileged = privileged
        self._bounds = bounds
        self._changed = threading.Condition()
        self._connections: Counter[int] = Counter()
        self._working: Counter[int] = Counter()
        self._size: Counter[int] = Counter()
        self._following: Counter[int] = Counter()

    def enter(self, uid: int) -> bool:
        """Take a connection in; False where its user has as many as one may have now."""
        privileged = self._privileged(uid)
        with self._changed:
            total, mine = sum(self._connections.values()), self._connections[uid]
            free = self._bounds.connections - total
            if privileged:
                if total >= self._bounds.connections + self._bounds.reserve:
                    return False
            elif mine >= min(self._bounds.per_user, max(free, 0)):
                return False
            self._connections[uid] += 1
            return True

    def leave(self, uid: int) -> None:
        """A connection has ended."""
        with self._changed:
            _less(self._connections, uid)

    @contextmanager
    def working(self, uid: int, size: int) -> Iterator["Turn"]:
        """Hold a request of this many bytes; its turn is to be begun once it is read. Raises LimitReached."""
        turn = Turn(self, uid)
        self._take_size(uid, size)
        try:
            yield turn
        finally:
            turn.end()
            with self._changed:
                _less(self._size, uid, size)
                self._changed.notify_all()

    @contextmanager
    def following(self, uid: int) -> Iterator[None]:
        """Count somebody who stays: a watch or a wait. Raises LimitReached."""
        with self._changed:
            if self._following[uid] >= self._bounds.following:
                raise LimitReached(
                    f"you watch or wait in {self._following[uid]} places, as many as one user may: end some of them"
                )
            self._following[uid] += 1
        try:
            yield
        finally:
            with self._changed:
                _less(self._following, uid)

    def _take_size(self, uid: int, size: int) -> None:
        with self._changed:
            fits = self._changed.wait_for(
                lambda: not self._size[uid] or self._size[uid] + size <= self._bounds.size, self._bounds.patience_s
            )
            if not fits:
                raise LimitReached("your other requests are as large together as one user's may be: try again shortly")
            self._size[uid] += size

    def take_turn(self, uid: int) -> None:
        """Wait until fewer than the most requests of this user are at work. Raises LimitReached."""
        bounds = self._bounds
        most = bounds.working_privileged if self._privileged(uid) else bounds.working
        with self._changed:
            if not self._changed.wait_for(lambda: self._working[uid] < most, bounds.patience_s):
                raise LimitReached("you have as many requests at work as one user may have: try again shortly")
            self._working[uid] += 1

    def give_turn(self, uid: int) -> None:
        """A request of this user is not at work any more."""
        with self._changed:
            _less(self._working, uid)
            self._changed.notify_all()


class Turn:
    """A request's right to work; it is given up while the request waits for something to happen."""

    def __init__(self, budgets: Budgets, uid: int) -> None:
        """Not begun yet."""
        self._budgets = budgets
        self.uid = uid
        self._has = False

    def begin(self) -> None:
        """Wait for the right. Raises LimitReached."""
        self._budgets.take_turn(self.uid)
        self._has = True

    def end(self) -> None:
        """Give it up. Idempotent."""
        if self._has:
            self._has = False
            self._budgets.give_turn(self.uid)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Give it up for a while."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Count this request among those that stay. Raises LimitReached."""
        with self._budgets.following(self.uid):
            yield


def _less(counts: Counter[int], uid: int, by: int = 1) -> None:
    """Take away, and forget who has nothing."""
    counts[uid] -= by
    if counts[uid] <= 0:
        del counts[uid]
