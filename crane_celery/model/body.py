"""Define what a submission runs, as it is stored: one line of JSON, then, for arrays made from a list, their items.
Pure.

The items follow as a table of offsets and one block of bytes, so that a node reads the one it needs and nothing is paid
for each of them when they are submitted or when an element starts.
"""

import struct
from collections.abc import Callable, Sequence
from itertools import accumulate

_OFFSET = struct.Struct("<I")
_PAIR = struct.Struct("<II")


def pack_items(items: Sequence[bytes]) -> bytes:
    """The table and the block."""
    offsets = struct.pack(f"<{len(items) + 1}I", 0, *accumulate(map(len, items)))
    return b"".join((_OFFSET.pack(len(items)), offsets, *items))


def split(body: bytes) -> tuple[bytes, bytes]:
    """(the JSON, the packed items: empty where there are none)."""
    head, _, rest = body.partition(b"\n")
    return head, rest


def item_at(read: Callable[[int, int], bytes], rank: int) -> bytes:
    """One item out of packed ones, of which ``read(count, at)`` gives bytes; IndexError where there is none."""
    (count,) = _OFFSET.unpack(read(_OFFSET.size, 0))
    if not 0 <= rank < count:
        raise IndexError(rank)
    low, high = _PAIR.unpack(read(_PAIR.size, _OFFSET.size * (rank + 1)))
    return read(high - low, _OFFSET.size * (count + 2) + low)


def picked(packed: bytes, ranks: Sequence[int]) -> bytes:
    """Some of packed items, packed again."""
    view = memoryview(packed)
    return pack_items([item_at(lambda count, at: bytes(view[at : at + count]), rank) for rank in ranks])
