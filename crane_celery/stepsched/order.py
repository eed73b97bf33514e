"""The waiting steps of a job, in classes of equal needs, and the first of each class in order."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from crane_celery.stepsched.layout import BLOCK, Distribution
from crane_celery.stepsched.need import Need

#: seconds of waiting that weigh as much as one point of priority
AGEING_S = 60.0

Key = tuple[float, int]
Class = tuple[Need, Distribution]


class Step(NamedTuple):
    """A waiting step."""

    number: int
    need: Need
    since: float  # seconds, on the caller's clock
    priority: int = 0
    how: Distribution = BLOCK

    @property
    def key(self) -> Key:
        """Return where it stands in the order: by request time less AGEING_S for each point of priority, then by
        number.

        As all wait alike, this is priority with linear ageing, and the order of two steps never changes.
        """
        return self.since - AGEING_S * self.priority, self.number


class Order:
    """Waiting steps by number. A class has one entry in the heap of heads, or more that are found to be stale."""

    def __init__(self) -> None:
        """Begin with none."""
        self.steps: dict[int, Step] = {}
        self._classes: dict[Class, list[Key]] = {}
        self._heads: list[tuple[Key, Class]] = []
        self._by_cpu: Counter[int] = Counter()  # CPU (thousandths) of a task -> classes that need it

    @property
    def least(self) -> int:
        """The least CPU (thousandths) that a task of any class reserves."""
        return min(self._by_cpu, default=0)

    def add(self, step: Step) -> None:
        """Let a step wait; it replaces a waiting one of its number."""
        kind = (step.need, step.how)
        self.steps[step.number] = step
        if kind not in self._classes:
            self._classes[kind] = []
            self._by_cpu[_cpu(kind)] += 1
        keys = self._classes[kind]
        heapq.heappush(keys, step.key)
        if keys[0] == step.key:
            heapq.heappush(self._heads, (step.key, kind))

    def heads(self) -> Iterator[Step]:
        """Yield the first step of each class in order; the next of its class if the caller removed it from ``steps``.

        Costs what is yielded, not what waits. Leave the loop at any time.
        """
        passed: dict[Class, Key] = {}
        try:
            while self._heads:
                key, kind = self._heads[0]
                first = self._first(kind)
                if first != key or kind in passed:
                    heapq.heappop(self._heads)
                    if first is not None and kind not in passed:
                        heapq.heappush(self._heads, (first, kind))
                    continue
                yield self.steps[key[1]]
                if key[1] not in self.steps:
                    continue
                heapq.heappop(self._heads)
                passed[kind] = key
        finally:
            for kind, key in passed.items():
                heapq.heappush(self._heads, (key, kind))

    def _first(self, kind: Class) -> Key | None:
        """Return the first key of a class, past the steps that are gone or changed; forget a class without any."""
        keys = self._classes.get(kind)
        if keys is None:
            return None
        while keys:
            step = self.steps.get(keys[0][1])
            if step is not None and step.key == keys[0] and (step.need, step.how) == kind:
                return keys[0]
            heapq.heappop(keys)
        del self._classes[kind]
        self._by_cpu[_cpu(kind)] -= 1
        if not self._by_cpu[_cpu(kind)]:
            del self._by_cpu[_cpu(kind)]
        return None


def _cpu(kind: Class) -> int:
    return 0 if kind[0].overlap else kind[0].cpu
