"""Large sets of ranks: bits of one whole number (bit n stands for rank n), and their page text. Pure.

Page text is ``*numbers*pages``: ``pages`` are the different pages of 1,024 ranks that occur, 256 hex digits each, the
first rank the highest bit of the first digit; ``numbers`` names the page at each place in turn, ``3x970`` for the same
one 970 times: ``*0x976,1*5555...``. So a set costs an eighth of a byte for each rank at most (twice that as text), and
one with a pattern next to nothing (ADR 11). The scripts read and write the same text (store/lua/lib/pages.lua).
"""

from __future__ import annotations

import re
from itertools import groupby, islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: ranks on one page, and its bytes
PAGE = 1024
_BYTES = PAGE // 8
#: bytes looked at in one go when ranges are listed
_WINDOW = 8192
#: a pattern that is told apart repeats more often than this; so many ranges later the next one is looked for
_MANY = 1024
#: it has at most so many ranges and numbers
_MOST_RANGES, _MOST_NUMBERS = 8, 16
#: so many ranges are laid one by one
_FEW = 8
#: every byte with its bits in reverse: a page has its first rank in the highest bit, a number in the lowest
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_TEXT = re.compile(r"\*(\d+(?:x\d+)?(?:,\d+(?:x\d+)?)*)\*((?:[0-9a-f]{256})+)")


def text_of(bits: int) -> str:
    """The page text of a set that is not empty."""
    raw = bits.to_bytes(-(-bits.bit_length() // PAGE) * _BYTES, "little").translate(_MIRROR)
    numbers: dict[bytes, int] = {}
    places = [numbers.setdefault(raw[at : at + _BYTES], len(numbers)) for at in range(0, len(raw), _BYTES)]
    runs = ((number, sum(1 for _ in same)) for number, same in groupby(places))
    named = ",".join(f"{number}x{times}" if times > 1 else str(number) for number, times in runs)
    return f"*{named}*{b''.join(numbers).hex()}"


def bits_of(text: str) -> int:
    """The bits of a page text. ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    raw = bytes.fromhex(match[2])
    pages = [raw[at : at + _BYTES] for at in range(0, len(raw), _BYTES)]
    parts = (item.partition("x") for item in match[1].split(","))
    try:
        return from_bytes(b"".join(pages[int(number)] * int(times or 1) for number, _, times in parts))
    except IndexError:
        raise ValueError(text) from None


def from_bytes(raw: bytes) -> int:
    """Bits from bytes as the server keeps them: bit 0 is the highest of the first byte."""
    return int.from_bytes(raw.translate(_MIRROR), "little")


def of_ranges(ranges: Sequence[tuple[int, int]]) -> int:
    """The bits of ascending, disjoint ranges: their edges are marked, the space between filled by doubling."""
    bits = 0
    if len(ranges) <= _FEW:
        for low, high in ranges:
            bits |= ((1 << (high - low + 1)) - 1) << low
        return bits
    edges = bytearray((ranges[-1][1] + 1) // 8 + 1)
    for low, high in ranges:
        edges[low >> 3] ^= 1 << (low & 7)
        edges[(high + 1) >> 3] ^= 1 << ((high + 1) & 7)
    bits = int.from_bytes(edges, "little")
    width = bits.bit_length()
    step = 1
    while step < width:
        bits ^= bits << step
        step *= 2
    return bits & ((1 << width) - 1)


def of_numbers(numbers: Sequence[int]) -> int:
    """The bits of numbers in any order."""
    raw = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        raw[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(raw, "little")


def stride(first: int, count: int, step: int) -> int:
    """``count`` numbers from ``first`` on, at distance ``step``: one, then twice as many, and so on."""
    bits, made = 1, 1
    while made < count:
        more = min(made, count - made)
        bits |= (bits & ((1 << (more * step)) - 1)) << (made * step)
        made += more
    return bits << first


def ranges(bits: int) -> Iterator[tuple[int, int]]:
    """The ranges, ascending, found a window at a time."""
    raw = bits.to_bytes(-(-bits.bit_length() // 8), "little")
    low, after = 0, -1  # of the range that the last window left open; none
    for at in range(0, len(raw), _WINDOW):
        text = bin(int.from_bytes(raw[at : at + _WINDOW], "little"))[:1:-1]
        for match in re.finditer("1+", text):
            start = 8 * at + match.start()
            if start != after:
                if after >= 0:
                    yield low, after - 1
                low = start
            after = 8 * at + match.end()
    if after >= 0:
        yield low, after - 1


def stretches(bits: int) -> Iterator[tuple[int, list[int], int]]:
    """Cut a set where a pattern begins that repeats very often: (bits, [], 0) without one, else (bits, the numbers of
    the pattern where it first stands, the distance at which it repeats). Ascending. Looks for one at few places."""
    skip = _MANY
    while bits:
        numbers, hop, end = _pattern(bits)
        if not hop:
            end = max((high for _, high in islice(ranges(bits), skip)), default=0) + 1
            skip *= 2
        yield bits & ((1 << end) - 1), numbers, hop
        bits = bits >> end << end


def _pattern(bits: int) -> tuple[list[int], int, int]:
    """The numbers of a pattern that begins with the lowest, its distance, and where it ends; or nothing."""
    heads = list(islice(ranges(bits), _MOST_RANGES + 1))
    left = bits >> heads[0][0]
    for size in range(1, len(heads)):
        hop = heads[size][0] - heads[0][0]
        numbers = [number for low, high in heads[:size] for number in range(low, min(high, low + _MOST_NUMBERS) + 1)]
        differ = left ^ (left >> hop)
        agreed = (differ & -differ).bit_length() - 1 if differ else left.bit_length()
        if len(numbers) <= _MOST_NUMBERS and agreed >= _MANY * hop:
            return numbers, hop, heads[0][0] + agreed + hop
    return [], 0, 0


def range_count(bits: int) -> int:
    """Return how many ranges there are: each has two edges."""
    return (bits ^ (bits << 1)).bit_count() // 2


def take(bits: int, count: int) -> int:
    """The ``count`` lowest ranks, or all of them when there are fewer: by bisection of where they end."""
    if count >= bits.bit_count():
        return bits
    low, high = 0, bits.bit_length()
    while low < high:
        middle = (low + high) // 2
        if (bits & ((1 << middle) - 1)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return bits & ((1 << low) - 1)
