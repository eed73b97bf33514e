"""Bits as the server keeps them, to ranks. Costs one pass over the bytes and the runs of ones in them."""

import re

from crane_celery.grammar.ranges import RangeSet


def ranks_of(raw: bytes, skip: int, count: int) -> RangeSet:
    """Ranks whose bit is set, the first at bit ``skip`` (< 8) of ``raw``, most significant bit first."""
    if not any(raw):
        return RangeSet()
    bits = format(int.from_bytes(raw, "big"), f"0{8 * len(raw)}b")[skip : skip + count]
    return RangeSet((found.start(), found.end() - 1) for found in re.finditer("1+", bits))
