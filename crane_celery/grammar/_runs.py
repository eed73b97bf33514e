"""Arithmetic on progressions: what the index set of an array is made of.

A run (start, stop, step) stands for start, start+step, .. stop, with ``stop`` an element. A *series* is a list of runs
in ascending order whose spans do not overlap. :func:`canonical` gives the one series a set of numbers has, by this rule
on its elements: neighbours (n, n+1) form solid ranges; the numbers left between two ranges are read from the left,
three or more at equal distance form a strided run, any other stands alone. It never expands a long run.

Progressions that interleave (``0-10:2,1-11:2``) are laid over each other as bytes, a window at a time: C speed,
bounded memory, and only the numbers of the interleaving part are looked at one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from math import gcd

from crane_celery.grammar.ranges import RangeSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Run = tuple[int, int, int]


class TooIrregular(Exception):
    """Laying these runs over each other would cost too much."""


#: how many numbers one overlay window covers, in bytes
WINDOW = 1 << 20
#: interleaving progressions of no more numbers than this are simply enumerated
FEW = 1 << 14
#: numbers that interleaving progressions may have together, each counted: bytes written to lay them over each other
MOST = 1 << 26
#: pieces that solid ranges may cut a strided run into, for each run there is, and some more
PIECES, MORE_PIECES = 4, 1 << 14


def count(run: Run) -> int:
    """Return how many numbers a run holds."""
    return (run[1] - run[0]) // run[2] + 1


def make(start: int, stop: int, step: int) -> Run:
    """The run from ``start`` up to at most ``stop``; a lone number gets step 1."""
    stop -= (stop - start) % step
    return (start, stop, step) if stop > start else (start, start, 1)


def meet(left: Run, right: Run) -> Run | None:
    """The numbers two runs share: again a run, its step the least common multiple (Chinese remainders)."""
    low, high = max(left[0], right[0]), min(left[1], right[1])
    if low > high:
        return None
    shared = gcd(left[2], right[2])
    if (right[0] - left[0]) % shared:
        return None
    step = left[2] // shared * right[2]
    factor = (right[0] - left[0]) // shared * pow(left[2] // shared, -1, right[2] // shared)
    first = left[0] + left[2] * factor
    first += -((first - low) // step) * step
    return make(first, high, step) if first <= high else None


def series(runs: Iterable[Run]) -> Iterator[Run]:
    """Lay any runs over each other: yields the same numbers as ascending runs without overlap, not yet canonical.

    Raises TooIrregular where a few runs make very many.
    """
    given = list(runs)
    solid = RangeSet((start, stop) for start, stop, step in given if step == 1).ranges
    strided: set[Run] = set()
    for run in given:
        strided.update(_outside(run, solid) if run[2] > 1 else ())
        if len(strided) > PIECES * len(given) + MORE_PIECES:
            raise TooIrregular
    pieces = sorted([(low, high, 1) for low, high in solid] + list(strided))
    cluster: list[Run] = []
    end = -1
    for piece in pieces:
        if cluster and piece[0] > end:
            yield from _overlay(cluster, end)
            cluster = []
        cluster.append(piece)
        end = max(end, piece[1])
    yield from _overlay(cluster, end)


def _outside(run: Run, ranges: Sequence[tuple[int, int]]) -> Iterator[Run]:
    """The pieces of a strided run that no solid range covers or cuts through."""
    start, stop, step = run
    at = max(bisect_left(ranges, (start, start)) - 1, 0)
    while start <= stop and at < len(ranges) and ranges[at][0] <= stop:
        low, high = ranges[at]
        if start < low:
            yield make(start, low - 1, step)
        if start <= high:
            start += ((high - start) // step + 1) * step
        at += 1
    if start <= stop:
        yield make(start, stop, step)


def _overlay(cluster: list[Run], end: int) -> Iterator[Run]:
    """The numbers of runs that interleave, up to ``end``: solid ranges and lone numbers, ascending."""
    if len(cluster) < 2:
        yield from cluster
    elif sum(map(count, cluster)) <= FEW:
        numbers = {number for start, stop, step in cluster for number in range(start, stop + 1, step)}
        yield from ((low, high, 1) for low, high in RangeSet.of(numbers).ranges)
    elif sum(map(count, cluster)) > MOST:
        raise TooIrregular
    else:
        for base in range(cluster[0][0], end + 1, WINDOW):
            yield from _window(cluster, base, min(base + WINDOW - 1, end))


def _window(cluster: list[Run], base: int, top: int) -> Iterator[Run]:
    """The solid ranges and lone numbers from ``base`` to ``top`` that any run of the cluster covers."""
    marks = bytearray(top - base + 1)
    for start, stop, step in cluster:
        low, high = max(start, base + (start - base) % step), min(stop, top)
        if low <= high:
            marks[low - base : high - base + 1 : step] = b"\1" * ((high - low) // step + 1)
    begin = marks.find(1)
    while begin >= 0:
        end = marks.find(0, begin)
        end = len(marks) if end < 0 else end
        yield base + begin, base + end - 1, 1
        begin = marks.find(1, end)


def canonical(runs: Iterable[Run]) -> list[Run]:
    """The canonical series of ascending runs without overlap, by the rule at the top; linear in the runs."""
    waiting = _joined(runs)
    waiting.reverse()
    found: list[Run] = []
    while waiting:
        run = waiting.pop()
        if not _is_solid(run):
            run = _grown(run, waiting)
            if count(run) == 2:
                waiting.append((run[1], run[1], 1))
                run = (run[0], run[0], 1)
        found.append(run)
    return found


def _is_solid(run: Run) -> bool:
    """Return whether a run is two or more neighbours."""
    return run[2] == 1 and run[1] > run[0]


def _joined(runs: Iterable[Run]) -> list[Run]:
    """Make neighbouring numbers of different runs one solid range, so that no two runs touch any more."""
    out: list[Run] = []
    for run in runs:
        if not out or out[-1][1] + 1 != run[0]:
            out.append(run)
            continue
        start, low, step = out.pop()
        if step == 1:
            low = start
        else:
            out.append(make(start, low - step, step))
        if run[2] == 1:
            out.append((low, run[1], 1))
        else:
            out.append((low, run[0], 1))
            out.append(make(run[0] + run[2], run[1], run[2]))
    return out


def _grown(run: Run, waiting: list[Run]) -> Run:
    """The longest progression from the start of ``run`` into what waits (next item last), which loses what it takes."""
    start, stop, step = run
    if start == stop:
        if not waiting or _is_solid(waiting[-1]):
            return run
        stop = _take_first(waiting)
        step = stop - start
    while waiting and waiting[-1][0] == stop + step and not _is_solid(waiting[-1]):
        stop = waiting.pop()[1] if waiting[-1][2] == step else _take_first(waiting)
    return start, stop, step


def _take_first(waiting: list[Run]) -> int:
    """Remove and return the lowest number of the run on top."""
    start, stop, step = waiting.pop()
    if stop > start:
        waiting.append(make(start + step, stop, step))
    return start
