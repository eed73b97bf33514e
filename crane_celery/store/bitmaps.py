"""Bits as the server keeps them, to ranks. Costs one pass over the bytes, or the runs of ones where they are few."""

from crane_celery.grammar import pages
from crane_celery.grammar.ranges import RangeSet


def ranks_of(raw: bytes, skip: int, count: int) -> RangeSet:
    """Ranks whose bit is set, ``count`` of them from bit ``skip`` of ``raw`` on, most significant bit first. With
    ``skip`` < 0 the first so many lie before ``raw``."""
    bits = pages.from_bytes(raw)
    moved = bits >> skip if skip >= 0 else bits << -skip
    return RangeSet.of_bits(moved & ((1 << count) - 1))
