"""Define what is withheld from those behind an element that waits for room: one of its user's elements at work, and
one of its
array's. Without that it would find itself at the limit when it has room at last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from crane_celery.model.states import Reason
from crane_celery.sched.plan import Why

#: a user, or a user in a partition
Key = int | tuple[int, str]


class Limit(NamedTuple):
    """Limit: so many elements at work at most; 0 = no limit."""

    key: Key
    most: int


class Claims:
    """Elements at work in one cycle, and who needs one of them."""

    def __init__(self, active: Mapping[int, int], active_in: Mapping[tuple[int, str], int]) -> None:
        """Elements at work by user, and by user and partition."""
        self.active: dict[Key, int] = dict(active.items())
        self.active.update(active_in.items())
        self._starts: dict[Key, float] = {}

    def count(self, uid: int, partition: str) -> None:
        """One more is at work."""
        active, key = self.active, (uid, partition)
        active[uid] = active.get(uid, 0) + 1
        active[key] = active.get(key, 0) + 1

    def claim(self, uid: int, partition: str, start: float) -> None:
        """Withhold one from those that would still be at work then; only for the first of a user."""
        for key in (uid, (uid, partition)):
            self._starts.setdefault(key, start)

    def lack(self, limits: tuple[Limit, ...], until: float) -> Why | None:
        """Why one more, over by ``until``, would be too many."""
        for key, most in limits:
            now = self.active.get(key, 0)
            if most and now + (self._starts.get(key, inf) < until) >= most:
                return Why(Reason.USER_LIMIT, "elements of this user at once", now + 1, most)
        return None
