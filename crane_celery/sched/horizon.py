"""When what runs is expected to give back what it holds: by node, and all ends in order. Pure.

A run ends at its begin plus its time limit; one without a limit never does. What runs beyond its end (it is being
stopped, or was suspended) is expected any moment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from crane_celery.model.job import Allocation
from crane_celery.sched.want import milli

#: one part of one run: (run's id, node's number)
Key = tuple[int, int]


class Release(NamedTuple):
    """Record of what a node gets back, and when."""

    end: float
    cpu: int  # thousandths
    memory: int
    gres: Mapping[str, tuple[int, ...]]


class Horizon:
    """Releases to come. A change costs a bisection and a memory move for each part."""

    def __init__(self) -> None:
        self.by_node: dict[int, dict[int, Release]] = {}
        self.ends: list[tuple[float, int, int]] = []  # (end, id, node), only those that have an end
        self.endless = 0  # releases that have none

    def put(self, id: int, at: int, part: Allocation, end: float) -> None:
        """A run holds this on a node until then."""
        self.by_node.setdefault(at, {})[id] = Release(end, milli(part.cpus), part.memory, part.gres)
        self._list(end, id, at)

    def move(self, id: int, at: int, end: float) -> None:
        """It is expected to end at another time."""
        known = self.by_node.get(at, {}).get(id)
        if known is not None and known.end != end:
            self._unlist(known.end, id, at)
            self.by_node[at][id] = known._replace(end=end)
            self._list(end, id, at)

    def drop(self, id: int, at: int) -> None:
        """It has given it back."""
        known = self.by_node.get(at, {}).pop(id, None)
        if known is not None:
            self._unlist(known.end, id, at)

    def _list(self, end: float, id: int, at: int) -> None:
        if end < inf:
            insort(self.ends, (end, id, at))
        else:
            self.endless += 1

    def _unlist(self, end: float, id: int, at: int) -> None:
        if end == inf:
            self.endless -= 1
            return
        where = bisect_left(self.ends, (end, id, at))
        if self.ends[where : where + 1] == [(end, id, at)]:
            del self.ends[where]
