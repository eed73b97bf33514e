"""Sets of whole numbers held as ranges: job ids, array ranks, held and cancelled parts of an array.

A :class:`RangeSet` is an immutable set of non-negative integers kept as sorted, disjoint, non-adjacent closed ranges.
Every operation costs the number of ranges, never the number of elements, so "all of a million elements but three" is
as cheap as "three elements". The text form is ``0-4,7``; the empty set is the empty text.
"""

from __future__ import annotations

from bisect import bisect_right

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Pair = tuple[int, int]


class RangeSet:
    """An immutable set of whole numbers >= 0; equal sets are equal and hash alike however they were built."""

    __slots__ = ("_ranges",)
    _ranges: tuple[Pair, ...]

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        """Take closed ranges (low, high) in any order, overlapping or not.

        Raises ValueError for a negative or backward range: that is a mistake of the program, not of a user.
        """
        self._ranges = _merge(sorted(pairs))

    @classmethod
    def _of_merged(cls, pairs: list[Pair]) -> RangeSet:
        """Wrap ranges already known to be sorted, disjoint and non-adjacent."""
        made = cls.__new__(cls)
        made._ranges = tuple(pairs)
        return made

    @classmethod
    def parse(cls, text: str) -> RangeSet:
        """Read ``0-4,7``; duplicates merge, the empty text is the empty set. InputError for anything else."""
        return cls(_parse_item(item, text) for item in text.split(",")) if text else cls()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RangeSet:
        """The set of these numbers, in any order, repeated or not."""
        return cls((number, number) for number in numbers)

    @classmethod
    def span(cls, low: int, high: int) -> RangeSet:
        """All numbers from ``low`` to ``high`` inclusive; empty when ``high`` is below ``low``."""
        return cls([(low, high)] if low <= high else ())

    @property
    def ranges(self) -> tuple[Pair, ...]:
        """The closed ranges (low, high), ascending, with a gap between any two."""
        return self._ranges

    @property
    def first(self) -> int:
        """The lowest number; IndexError when the set is empty."""
        return self._ranges[0][0]

    @property
    def last(self) -> int:
        """The highest number; IndexError when the set is empty."""
        return self._ranges[-1][1]

    @property
    def text(self) -> str:
        """The canonical text, ``0-4,7``; parses back to an equal set."""
        return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in self._ranges)

    def take(self, count: int) -> RangeSet:
        """The ``count`` lowest numbers, or all of them when there are fewer."""
        taken: list[Pair] = []
        for low, high in self._ranges:
            if count <= 0:
                break
            high = min(high, low + count - 1)
            taken.append((low, high))
            count -= high - low + 1
        return self._of_merged(taken)

    def __or__(self, other: RangeSet) -> RangeSet:
        """Numbers in either set. Sorting two sorted runs is one linear merge in CPython."""
        if not self._ranges or not other._ranges:
            return self if self._ranges else other
        return RangeSet(self._ranges + other._ranges)

    def __and__(self, other: RangeSet) -> RangeSet:
        """Numbers in both sets."""
        return self._of_merged(list(_common(self._ranges, other._ranges)))

    def __sub__(self, other: RangeSet) -> RangeSet:
        """Numbers of this set that are not in the other."""
        return self._of_merged(list(_left_over(self._ranges, other._ranges)))

    def __contains__(self, number: object) -> bool:
        """Whether ``number`` is in the set, by bisection."""
        if not isinstance(number, int):
            return False
        at = bisect_right(self._ranges, (number + 1,)) - 1
        return at >= 0 and number <= self._ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        """The numbers, ascending: the one operation that costs the number of elements."""
        for low, high in self._ranges:
            yield from range(low, high + 1)

    def __len__(self) -> int:
        """How many numbers the set holds."""
        return sum(high - low + 1 for low, high in self._ranges)

    def __bool__(self) -> bool:
        """Whether the set holds any number."""
        return bool(self._ranges)

    def __eq__(self, other: object) -> bool:
        """Set equality."""
        return self._ranges == other._ranges if isinstance(other, RangeSet) else NotImplemented

    def __hash__(self) -> int:
        """Equal sets hash alike."""
        return hash(self._ranges)

    def __repr__(self) -> str:
        """The expression that makes the set again."""
        return f"RangeSet.parse({self.text!r})"


def _parse_item(item: str, text: str) -> Pair:
    """One ``7`` or ``0-4`` of a list; ``text`` is the whole of it, for the message."""
    left, dash, right = item.partition("-")
    low, high = whole(left), whole(right if dash else left)
    if low is None or high is None:
        raise InputError(f"bad range {quote(item)} in {quote(text)}: write whole numbers and ranges, such as 0-4,7")
    if high < low:
        raise InputError(f"bad range {quote(item)}: it runs backward; write {high}-{low}")
    return low, high


def _merge(ordered: list[Pair]) -> tuple[Pair, ...]:
    """Join sorted ranges that overlap or touch."""
    merged: list[Pair] = []
    for low, high in ordered:
        if low < 0 or high < low:
            raise ValueError(f"not a range of whole numbers: {low}..{high}")
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def _common(left: tuple[Pair, ...], right: tuple[Pair, ...]) -> Iterator[Pair]:
    """The overlaps of two lists of ranges: both walked once, the range that ends first is left behind."""
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            yield low, high
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1


def _left_over(left: tuple[Pair, ...], right: tuple[Pair, ...]) -> Iterator[Pair]:
    """What remains of ``left`` after cutting ``right`` out of it, both walked once."""
    j = 0
    for low, high in left:
        while j < len(right) and right[j][1] < low:
            j += 1
        at = j
        while at < len(right) and right[at][0] <= high:
            if low < right[at][0]:
                yield low, right[at][0] - 1
            low = right[at][1] + 1
            at += 1
        j = max(j, at - 1)
        if low <= high:
            yield low, high
