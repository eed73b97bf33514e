"""Which task runs on which node (option -m: block, cyclic, plane=N)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Distribution(NamedTuple):
    """Record of how tasks go round the nodes: ``plane`` tasks to a node at a time; 0 = fill a node before the next."""

    plane: int = 0


BLOCK, CYCLIC = Distribution(0), Distribution(1)


def counts(room: Sequence[int], tasks: int, how: Distribution = BLOCK) -> list[int]:
    """Return the number of tasks on each node; ``room``: how many fit there, in sum at least ``tasks``.

    Every node gets one first (a node that was asked for is used). Block fills the nodes in order; otherwise ``plane``
    tasks at a time go to each node in turn that still has room.
    """
    given = [1] * len(room)
    left = tasks - len(room)
    if how.plane == 0:
        for at, fits in enumerate(room):
            more = min(left, fits - 1)
            given[at] += more
            left -= more
        return given
    first = True
    while left > 0:
        for at, fits in enumerate(room):
            more = min(left, how.plane - (1 if first else 0), fits - given[at])
            given[at] += more
            left -= more
        first = False
    return given


def ranks(given: Sequence[int], how: Distribution = BLOCK) -> list[tuple[int, ...]]:
    """Return the global task numbers of each node, from the number of tasks there."""
    if how.plane == 0:
        ends = [sum(given[: at + 1]) for at in range(len(given))]
        return [tuple(range(end - count, end)) for end, count in zip(ends, given, strict=True)]
    lists: list[list[int]] = [[] for _ in given]
    rank, total = 0, sum(given)
    while rank < total:
        for at, count in enumerate(given):
            for _ in range(min(how.plane, count - len(lists[at]))):
                lists[at].append(rank)
                rank += 1
    return [tuple(numbers) for numbers in lists]
