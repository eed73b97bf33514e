"""Sets of whole numbers held as ranges: job ids, array ranks, held and cancelled parts of an array.

A :class:`RangeSet` is an immutable set of non-negative integers kept as sorted, disjoint, non-adjacent closed ranges.
Every operation costs the number of ranges, never the number of elements, so "all of a million elements but three" is
as cheap as "three elements". The text form is ``0-4,7``; the empty set is the empty text. A set of more than 1,024
ranges is kept as bits instead (grammar.pages), and its text is page text: every second element of a million costs
some 130 KB and fractions of a millisecond.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

from crane_celery.errors import InputError
from crane_celery.grammar import pages
from crane_celery.grammar._lex import quote, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Pair = tuple[int, int]
#: more ranges than this are kept as bits, unless numbers beyond the bound are among them
FEW, BOUND = 1024, 1 << 26
#: characters of a text whose set is remembered
_SHORT = 16


class RangeSet:
    """An immutable set of whole numbers >= 0; equal sets are equal and hash alike however they were built."""

    __slots__ = ("_bits", "_ranges")
    #: one of the two: which one follows from the set alone
    _ranges: tuple[Pair, ...]
    _bits: int

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        """Take closed ranges (low, high) in any order, overlapping or not.

        Raises ValueError for a negative or backward range: that is a mistake of the program, not of a user.
        """
        self._keep(_merge(sorted(pairs)))

    def _keep(self, ranges: Sequence[Pair]) -> None:
        """Hold ranges already known to be sorted, disjoint and non-adjacent."""
        dense = len(ranges) > FEW and ranges[-1][1] < BOUND
        self._ranges, self._bits = ((), pages.of_ranges(ranges)) if dense else (tuple(ranges), 0)

    @classmethod
    def _of_merged(cls, pairs: Sequence[Pair]) -> RangeSet:
        """Wrap ranges already known to be sorted, disjoint and non-adjacent."""
        made = cls.__new__(cls)
        made._keep(pairs)
        return made

    @classmethod
    def of_bits(cls, bits: int) -> RangeSet:
        """The set of the bits that are set in a number: bit n stands for n."""
        if bits.bit_length() > BOUND or pages.range_count(bits) <= FEW:
            return cls._of_merged(list(pages.ranges(bits)))
        made = cls.__new__(cls)
        made._ranges, made._bits = (), bits
        return made

    @classmethod
    def parse(cls, text: str) -> RangeSet:
        """Read ``0-4,7`` or page text; duplicates merge, "" is the empty set. InputError for anything else."""
        if len(text) <= _SHORT:
            return _short(text)
        if text.startswith("*"):
            return cls.of_bits(_paged(text))
        return cls(_parse_item(item, text) for item in text.split(","))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RangeSet:
        """The set of these numbers, in any order, repeated or not."""
        some = numbers if isinstance(numbers, (list, range)) else list(numbers)
        if len(some) > FEW and min(some) >= 0 and max(some) < BOUND:
            return cls.of_bits(pages.of_numbers(some))
        return cls((number, number) for number in some)

    @classmethod
    def span(cls, low: int, high: int) -> RangeSet:
        """All numbers from ``low`` to ``high`` inclusive; empty when ``high`` is below ``low``."""
        return cls([(low, high)] if low <= high else ())

    @classmethod
    def stride(cls, low: int, high: int, step: int) -> RangeSet:
        """Every ``step``-th number from ``low`` to ``high`` at most; empty when ``high`` is below ``low``."""
        count = (high - low) // step + 1
        if step > 1 and count > FEW and high < BOUND:
            return cls.of_bits(pages.stride(low, count, step))
        return cls.of(range(low, high + 1, step)) if step > 1 else cls.span(low, high)

    @property
    def ranges(self) -> tuple[Pair, ...]:
        """The closed ranges (low, high), ascending, with a gap between any two. For very many see ``spans``."""
        return self._ranges or tuple(self.spans())

    def spans(self) -> Iterator[Pair]:
        """The ranges, made as they are asked for."""
        return pages.ranges(self._bits) if self._bits else iter(self._ranges)

    def stretches(self) -> Iterator[tuple[RangeSet, list[int], int]]:
        """The set in parts, ascending, so that what repeats very often is a part by itself: with the numbers of the
        pattern where it first stands, and the distance at which it repeats; else with none, and 0."""
        if not self._bits:
            yield self, [], 0
        for bits, numbers, hop in pages.stretches(self._bits):
            yield self.of_bits(bits), numbers, hop

    @property
    def first(self) -> int:
        """The lowest number; IndexError when the set is empty."""
        return (self._bits & -self._bits).bit_length() - 1 if self._bits else self._ranges[0][0]

    @property
    def last(self) -> int:
        """The highest number; IndexError when the set is empty."""
        return self._bits.bit_length() - 1 if self._bits else self._ranges[-1][1]

    @property
    def text(self) -> str:
        """The canonical text, ``0-4,7`` or page text; parses back to an equal set."""
        if self._bits:
            return pages.text_of(self._bits)
        return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in self._ranges)

    def shifted(self, by: int) -> RangeSet:
        """Every number and ``by``, which may be negative: ranks as ids, and back. ValueError below 0."""
        if self._bits and self.first + by >= 0 and self.last + by < BOUND:
            return self.of_bits(self._bits << by if by >= 0 else self._bits >> -by)
        return RangeSet((low + by, high + by) for low, high in self.spans())

    def take(self, count: int) -> RangeSet:
        """The ``count`` lowest numbers, or all of them when there are fewer."""
        if self._bits:
            return self.of_bits(pages.take(self._bits, count)) if count > 0 else RangeSet()
        taken: list[Pair] = []
        for low, high in self._ranges:
            if count <= 0:
                break
            high = min(high, low + count - 1)
            taken.append((low, high))
            count -= high - low + 1
        return self._of_merged(taken)

    def _laid(self, other: RangeSet) -> tuple[int, int] | None:
        """Both as bits, where one is kept so and the other can be; None: go by ranges."""
        if not (self._bits or other._bits):
            return None
        sets = (self, other)
        if any(each._ranges and each._ranges[-1][1] >= BOUND for each in sets):
            return None
        left, right = (each._bits or pages.of_ranges(each._ranges) for each in sets)
        return left, right

    def __or__(self, other: RangeSet) -> RangeSet:
        """Numbers in either set. Sorting two sorted runs is one linear merge in CPython."""
        if not self or not other:
            return self if self else other
        laid = self._laid(other)
        return RangeSet((*self.ranges, *other.ranges)) if laid is None else self.of_bits(laid[0] | laid[1])

    def __and__(self, other: RangeSet) -> RangeSet:
        """Numbers in both sets."""
        laid = self._laid(other)
        if laid is None:
            return self._of_merged(list(_common(self.ranges, other.ranges)))
        return self.of_bits(laid[0] & laid[1])

    def __sub__(self, other: RangeSet) -> RangeSet:
        """Numbers of this set that are not in the other; this set itself, where the other is empty."""
        if not other:
            return self
        laid = self._laid(other)
        if laid is None:
            return self._of_merged(list(_left_over(self.ranges, other.ranges)))
        return self.of_bits(laid[0] & ~laid[1])

    def __contains__(self, number: object) -> bool:
        """Return whether ``number`` is in the set, by bisection."""
        if not isinstance(number, int):
            return False
        if self._bits:
            return number >= 0 and bool(self._bits >> number & 1)
        at = bisect_right(self._ranges, (number + 1,)) - 1
        return at >= 0 and number <= self._ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        """The numbers, ascending: the one operation that costs the number of elements."""
        for low, high in self.spans():
            yield from range(low, high + 1)

    def __len__(self) -> int:
        """Return how many numbers the set holds."""
        return self._bits.bit_count() if self._bits else sum(high - low + 1 for low, high in self._ranges)

    def __bool__(self) -> bool:
        """Return whether the set holds any number."""
        return bool(self._ranges or self._bits)

    def __eq__(self, other: object) -> bool:
        """Set equality."""
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._ranges == other._ranges and self._bits == other._bits

    def __hash__(self) -> int:
        """Equal sets hash alike."""
        return hash(self._bits or self._ranges)

    def __repr__(self) -> str:
        """The expression that makes the set again."""
        return f"RangeSet.parse({self.text!r})"


@lru_cache(maxsize=4096)
def _short(text: str) -> RangeSet:
    """Most sets that are read are one rank or all of them, over and over."""
    return RangeSet(_parse_item(item, text) for item in text.split(",")) if text else RangeSet()


def _paged(text: str) -> int:
    """The bits of page text."""
    try:
        return pages.bits_of(text)
    except ValueError:
        raise InputError(f"bad range {quote(text)}: write whole numbers and ranges, such as 0-4,7") from None


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
    """Yield what remains of ``left`` after cutting ``right`` out of it, both walked once."""
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
