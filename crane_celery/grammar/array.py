"""The ``--array`` language and the index set of an array.

``--array=ITEM{,ITEM}[%N]`` with ITEM ``n``, ``n-m`` or ``n-m:step`` (Slurm's grammar, see its sbatch manual), at most N
elements running at once. Repeated indexes merge, as in Slurm. What Slurm lets pass silently is refused here: ``%0``,
``%abc``, ``0-``, a lone ``%5``, a throttle that is not last.

An :class:`IndexSet` holds the indexes as ascending progressions, so ``0-999999`` and ``0-999998:2`` cost one entry
each, and index and rank (the element's position among the sorted indexes, which gives its job id) are turned into
each other by bisection.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from crane_celery.errors import InputError
from crane_celery.grammar import _patterns, _runs
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar._runs import Run
from crane_celery.grammar.ranges import RangeSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: no configuration takes indexes beyond this
MAX_INDEX = 2**31 - 1
#: progressions that what a request names may come to beside a few more for each item that was written: a set of a few
#: characters costs some megabytes at most
REQUEST_RUNS, _PER_ITEM = 1 << 14, 4
_HOW = "write indexes and ranges, such as 0-31, 1,3,5 or 1-7:2, and a limit last, such as 0-31%4"


class IndexSet:
    """An immutable set of array indexes; equal sets are equal and hash alike however they were written."""

    __slots__ = ("_bases", "_runs", "_starts")
    _runs: tuple[Run, ...]
    _starts: tuple[int, ...]
    _bases: tuple[int, ...]

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        """Take progressions (start, stop, step) in any order, overlapping or interleaving or not."""
        given = [_runs.make(*run) for run in runs]
        self._fill(given if len(given) == 1 else _runs.canonical(_runs.series(given)))

    def _fill(self, runs: list[Run]) -> None:
        """Keep a canonical series with what bisection needs: the starts, and the rank of each run's first index."""
        self._runs = tuple(runs)
        self._starts = tuple(run[0] for run in runs)
        self._bases = (0, *accumulate(_runs.count(run) for run in runs))

    @classmethod
    def parse(
        cls, text: str, max_index: int = MAX_INDEX, max_count: int = MAX_INDEX + 1, max_runs: int = 1 << 20
    ) -> IndexSet:
        """Read ``0-4,7`` or ``1-7:2``, brackets around it or around an item allowed; InputError for anything else.

        ``max_runs``: progressions that the items may come to, beside a few for each of them.
        """
        runs = [_parse_item(item, text, max_index) for item in _unwrapped(text).split(",")]
        made = cls.__new__(cls)
        series = runs if len(runs) == 1 else _runs.series(runs)
        try:
            bounded = list(_bounded(series, max_count, text, max_runs + _PER_ITEM * len(runs)))
        except _runs.TooIrregular:
            raise _irregular(text) from None
        made._fill(bounded if len(runs) == 1 else _runs.canonical(bounded))
        return made

    @property
    def first(self) -> int:
        """The lowest index; IndexError when the set is empty."""
        return self._starts[0]

    @property
    def last(self) -> int:
        """The highest index; IndexError when the set is empty."""
        return self._runs[-1][1]

    @property
    def step(self) -> int:
        """The distance between neighbours when the whole set is one progression, else 1."""
        return self._runs[0][2] if len(self._runs) == 1 else 1

    @property
    def runs(self) -> tuple[Run, ...]:
        """The progressions (start, stop, step), ascending, their spans disjoint."""
        return self._runs

    @property
    def text(self) -> str:
        """The canonical text, such as ``0-4,7`` or ``1-7:2``; parses back to an equal set with the same step."""
        return ",".join(_spelled(run) for run in self._runs)

    def index_of(self, rank: int) -> int:
        """The index at position ``rank`` (from 0) of the sorted set; IndexError when there is none."""
        if not 0 <= rank < len(self):
            raise IndexError(rank)
        at = bisect_right(self._bases, rank) - 1
        start, _, step = self._runs[at]
        return start + (rank - self._bases[at]) * step

    def rank_of(self, index: int) -> int | None:
        """The position of ``index`` in the sorted set, or None when it is not in the set."""
        at = bisect_right(self._starts, index) - 1
        if at < 0:
            return None
        start, stop, step = self._runs[at]
        return self._bases[at] + (index - start) // step if index <= stop and (index - start) % step == 0 else None

    def ranks_of(self, indexes: RangeSet | IndexSet | str) -> RangeSet:
        """The ranks of those of ``indexes`` that are in the set; the others are left out (compare lengths to know).

        Text is read as by :meth:`parse`, ``*`` or the empty text meaning all. Costs the runs and ranges on both sides,
        and the matches where the two step differently.
        """
        if indexes in ("", "*"):
            return RangeSet.span(0, len(self) - 1)
        if isinstance(indexes, str):
            runs = [_parse_item(item, indexes, MAX_INDEX) for item in _unwrapped(indexes).split(",")]
            return _set_of(met for run in runs for met in self._ranks_met((run,)))
        if isinstance(indexes, IndexSet):
            return _set_of(self._ranks_met(indexes._runs))
        return _set_of(self._ranks_met(tuple((low, high, 1) for low, high in indexes.ranges)))

    def _ranks_met(self, runs: tuple[Run, ...]) -> Iterator[Run]:
        """Runs of ranks where ascending runs with disjoint spans meet this set; both are walked once."""
        mine, j = max(bisect_right(self._starts, runs[0][0]) - 1, 0) if runs else 0, 0
        while mine < len(self._runs) and j < len(runs):
            start, stop, step = self._runs[mine]
            met = _runs.meet(self._runs[mine], runs[j])
            if met:
                low, high = (self._bases[mine] + (end - start) // step for end in met[:2])
                yield low, high, max(met[2] // step, 1)
            if stop < runs[j][1]:
                mine += 1
            else:
                j += 1

    def text_of(self, ranks: RangeSet, limit: int = 0) -> str:
        """The indexes at ``ranks`` as people see them: ranges, and strides from six elements spanning over ten.

        Shorter strides are listed, as Slurm lists them; of many numbers a pattern that repeats is shown as strides.
        With ``limit`` > 0 the text is cut between two items to at most that many characters, ending in ``...``.
        IndexError for a rank that does not exist.
        """
        items = (item for run in _continued(self._shown(ranks)) for item in _listed(run))
        return _cut(items, limit) if limit > 0 else ",".join(items)

    def _shown(self, ranks: RangeSet) -> Iterator[Run]:
        """Yield what is shown of the indexes at ``ranks``: a long stretch of one pattern is not gone through."""
        for part, numbers, hop in ranks.stretches():
            last = part.last if part else 0
            runs = [(number, last - (last - number) % hop, hop) for number in numbers]
            shown = self._runs_at(runs if hop else ((low, high, 1) for low, high in part.spans()))
            yield from shown if hop else _patterns.folded(_runs.canonical(shown))

    def _runs_at(self, ranks: Iterable[Run]) -> Iterator[Run]:
        """The runs of the indexes at these runs of ranks."""
        for low, high, hop in ranks:
            if high >= len(self):
                raise IndexError(high)
            while low <= high:
                at = bisect_right(self._bases, low) - 1
                start, _, step = self._runs[at]
                base, end = self._bases[at], min(high, self._bases[at + 1] - 1)
                end -= (end - low) % hop
                yield _runs.make(start + (low - base) * step, start + (end - base) * step, step * hop)
                low = end + hop

    def __contains__(self, index: object) -> bool:
        """Return whether ``index`` is in the set."""
        return isinstance(index, int) and self.rank_of(index) is not None

    def __iter__(self) -> Iterator[int]:
        """The indexes, ascending."""
        for start, stop, step in self._runs:
            yield from range(start, stop + 1, step)

    def __len__(self) -> int:
        """Return how many indexes there are."""
        return self._bases[-1]

    def _key(self) -> tuple[Run, ...]:
        """The runs, with a stride of two elements (kept for its step) taken for what it is, two numbers."""
        return tuple(_runs.canonical(self._runs)) if len(self) == 2 else self._runs

    def __eq__(self, other: object) -> bool:
        """Set equality."""
        return self._key() == other._key() if isinstance(other, IndexSet) else NotImplemented

    def __hash__(self) -> int:
        """Equal sets hash alike."""
        return hash(self._key())

    def __repr__(self) -> str:
        """The expression that makes the set again."""
        return f"IndexSet.parse({self.text!r})" if self._runs else "IndexSet()"


class ArraySpec(NamedTuple):
    """Record of what ``--array`` asks for."""

    #: the indexes of the elements
    indexes: IndexSet
    #: how many elements may run at once; 0 = no limit
    throttle: int


def parse_array(text: str, max_index: int = 999_999, max_count: int = 1_000_000) -> ArraySpec:
    """Read an ``--array`` value; indexes up to ``max_index``, ``max_count`` of them, else InputError."""
    if not text:
        raise InputError(f"empty array: {_HOW}")
    body, percent, limit = text.partition("%")
    if not body:
        raise InputError(f"no indexes before the limit of array {quote(text)}: {_HOW}")
    throttle = whole(limit) if percent else 0
    if percent and not throttle:
        raise InputError(f"bad limit {quote('%' + limit)} in array {quote(text)}: write % and a number from 1, last")
    return ArraySpec(IndexSet.parse(body, max_index, max_count, REQUEST_RUNS), throttle or 0)


def _unwrapped(text: str) -> str:
    """The text without one pair of brackets around the whole of it."""
    return text[1:-1] if text[:1] == "[" and text.find("]") == len(text) - 1 else text


def _parse_item(item: str, text: str, max_index: int) -> Run:
    """One ``n``, ``n-m`` or ``n-m:step``; ``text`` is the whole spec, for the message."""
    span, colon, hop = _unwrapped(item).partition(":")
    left, dash, right = span.partition("-")
    start, stop, step = whole(left), whole(right if dash else left), whole(hop) if colon else 1
    if start is None or stop is None or step is None:
        raise InputError(f"bad array index {quote(item)} in {quote(text)}: {_HOW}")
    if colon and (not dash or step == 0):
        why = "a step needs a range" if not dash else "a step of 0 never ends"
        raise InputError(f"bad array index {quote(item)}: {why}; write it such as 1-7:2")
    if stop < start:
        raise InputError(f"bad array index {quote(item)}: it runs backward; write the lower index first")
    if max(stop, step if colon else 0) > max_index:
        raise InputError(f"bad array index {quote(item)}: this cluster takes indexes and steps up to {max_index}")
    return _runs.make(start, stop, step)


def _irregular(text: str) -> InputError:
    """The error of items whose steps interleave into very many ranges."""
    return InputError(f"array {quote(text)} is too irregular: its steps interleave; submit several arrays")


def _bounded(runs: Iterable[Run], max_count: int, text: str, max_runs: int) -> Iterator[Run]:
    """Pass runs on while they hold no more than ``max_count`` indexes together, and are not too many to keep."""
    total = 0
    for number, run in enumerate(runs):
        if number >= max_runs:
            raise _irregular(text)
        total += _runs.count(run)
        if total > max_count:
            raise InputError(f"array {quote(text)} is too large: at most {max_count} elements; submit several arrays")
        yield run


def _set_of(runs: Iterable[Run]) -> RangeSet:
    """The set of all numbers of these runs."""
    pairs, strided = [], RangeSet()
    for low, high, step in runs:
        if step == 1:
            pairs.append((low, high))
        else:
            strided |= RangeSet.stride(low, high, step)
    return RangeSet(pairs) | strided


def _continued(runs: Iterable[Run]) -> Iterator[Run]:
    """A stride that goes on where another ended is one with it."""
    last: Run | None = None
    for run in runs:
        if last and run[2] == last[2] > 1 and run[0] == last[1] + run[2]:
            last = (last[0], run[1], run[2])
            continue
        if last:
            yield last
        last = run
    if last:
        yield last


def _spelled(run: Run) -> str:
    """A run as written: ``7``, ``0-4`` or ``1-7:2``."""
    start, stop, step = run
    return str(start) if start == stop else f"{start}-{stop}" if step == 1 else f"{start}-{stop}:{step}"


def _listed(run: Run) -> Iterator[str]:
    """A run as shown to people: a short stride number by number."""
    start, stop, step = run
    if step == 1 or (stop - start > 10 and _runs.count(run) > 5):
        yield _spelled(run)
    else:
        yield from map(str, range(start, stop + 1, step))


def _cut(items: Iterable[str], limit: int) -> str:
    """Join items by commas up to ``limit`` characters; what does not fit becomes ``...``."""
    text = kept = ""
    for item in items:
        text = f"{text},{item}" if text else item
        if len(text) > limit:
            return f"{kept},..." if kept else "..."
        if len(text) + 4 <= limit:
            kept = text
    return text
