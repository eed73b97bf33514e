"""The queue by classes of equal requests: same want, same user, same fixed priority. Only what may start now is in it.

A class holds its units (submissions, or parts of them) in order. Putting one in or taking one out costs a bisection and
a memory move, 0.02 ms at worst with 100,000 in one class; a submission of a million elements is one id.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from crane_celery.sched.want import Want

#: a submission has fewer parts than this: a unit of the queue is its id times this, and the part's number
PARTS = 1 << 20


class Kind(NamedTuple):
    """Record of what a class's units have in common."""

    partition: int  # the partition's priority
    fixed: float  # of the priority, what neither time nor use changes
    uid: int
    want: Want


class Place(NamedTuple):
    """Record of where a part stands in the queue."""

    kind: Kind
    unit: int


class Class:
    """Equal requests, oldest first."""

    __slots__ = ("ids", "kind", "want")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.want = kind.want
        self.ids: list[int] = []


class Queue:
    """All classes that have something in them."""

    def __init__(self) -> None:
        self._classes: dict[Kind, Class] = {}
        #: submissions that may start in several shapes (sched.choices), whether they stand in it or not
        self.flexible: set[int] = set()

    def add(self, place: Place) -> None:
        """Put a part of a submission at its place."""
        kind, unit = place
        found = self._classes.get(kind)
        if found is None:
            found = self._classes[kind] = Class(kind)
        ids = found.ids
        if not ids or unit > ids[-1]:
            ids.append(unit)
        else:
            insort(ids, unit)

    def discard(self, place: Place) -> None:
        """Take it out."""
        kind, unit = place
        found = self._classes[kind]
        at = bisect_left(found.ids, unit)
        if found.ids[at : at + 1] == [unit]:
            del found.ids[at]
        if not found.ids:
            del self._classes[kind]

    def __iter__(self) -> Iterator[Class]:
        """The classes, in no particular order."""
        return iter(self._classes.values())

    def __len__(self) -> int:
        """Return how many classes there are."""
        return len(self._classes)
