"""Patterns that repeat, in what people are shown of an index set: ``2-4,6-8,10-12,...`` as ``2-98:4,3-99:4,4-96:4``.

Held and cancelled parts of an array are often strides of it, and what they leave is a pattern: a few progressions that
interleave say as much as thousands of numbers.
"""

from __future__ import annotations

from crane_celery.grammar._runs import Run, count, make

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: so many runs are listed as they are
FEW = 16
#: a pattern has at most so many runs, and at most so many numbers
_MOST_RUNS, _MOST_NUMBERS = 8, 16
#: it is there at least so often
_TIMES = 6
#: places at which no pattern began, after which none is looked for: what is irregular is not to cost more than its text
_TRIES = 1000


def folded(runs: Sequence[Run]) -> Iterator[Run]:
    """The same numbers as those of a canonical series, patterns as progressions that interleave; by their starts."""
    at, tries = 0, _TRIES if len(runs) > FEW else 0
    while at < len(runs):
        length, strides = _pattern(runs, at) if tries else (0, [])
        if length:
            yield from strides
        else:
            tries -= tries > 0
            yield runs[at]
        at += length or 1


def _pattern(runs: Sequence[Run], at: int) -> tuple[int, list[Run]]:
    """Return how many runs from ``at`` on are one pattern over and over, and its progressions; none where there is
    none."""
    for size in range(1, min(_MOST_RUNS, len(runs) - at - 1) + 1):
        hop = runs[at + size][0] - runs[at][0]
        end = at + size
        while end < len(runs) and _is_later(runs[end], runs[end - size], hop):
            end += 1
        numbers = sum(map(count, runs[at : at + size]))
        if end - at >= max(_TIMES * size, 3 * numbers) and numbers <= _MOST_NUMBERS:
            return end - at, _strides(runs, at, size, end)
    return 0, []


def _is_later(run: Run, earlier: Run, hop: int) -> bool:
    """Return whether a run is another one, so much further on."""
    return run[0] - earlier[0] == hop == run[1] - earlier[1] and run[2] == earlier[2]


def _strides(runs: Sequence[Run], at: int, size: int, end: int) -> list[Run]:
    """A progression for each number of the pattern."""
    found = []
    hop = runs[at + size][0] - runs[at][0]
    for first in range(at, at + size):
        start, stop, step = runs[first]
        last = start + (end - 1 - first) // size * hop
        found += [make(number, last + number - start, hop) for number in range(start, stop + 1, step)]
    return found
