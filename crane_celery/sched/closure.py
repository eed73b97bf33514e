"""Define what can never start once something is cancelled: the exact transitive closure over dependants. Pure.

A cancelled dependee makes ``afterok`` and the like impossible and lets ``after``, ``afterany`` and ``afternotok`` come
true; a job with other ways to go (``?``) is lost only when all of them are. Costs the edges met; no depth is too deep.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Block, Facts, blocks_of, decode, matched

_NONE = RangeSet()


class Waiter(NamedTuple):
    """A submission that waits for others."""

    job: int
    dep: str  # as Job.dep
    pending: RangeSet  # its ranks that could still start
    elements: int


def downstream(gone: Mapping[int, RangeSet], waiters: Iterable[Waiter]) -> dict[int, RangeSet]:
    """``gone`` (ranks by submission), and the ranks that can never start when these are cancelled, and so on."""
    waiting: dict[int, dict[int, Waiter]] = {}
    for waiter in waiters:
        for block in blocks_of(waiter.dep):
            if block.fired_at <= 0:  # what failed just now still hangs on it
                waiting.setdefault(block.job, {})[waiter.job] = waiter
    lost = dict(gone)
    left = list(gone)
    while left:
        for waiter in waiting.get(left.pop(), {}).values():
            known = lost.get(waiter.job, _NONE)
            if more := (_never(waiter, lost) & waiter.pending) - known:
                lost[waiter.job] = known | more
                left.append(waiter.job)
    return lost


def _never(waiter: Waiter, lost: Mapping[int, RangeSet]) -> RangeSet:
    """Ranks of a submission that can never start."""
    everything = RangeSet.span(0, waiter.elements - 1)
    any_of, groups = decode(waiter.dep)
    found = everything if any_of else _NONE
    for group in groups:
        here = _NONE
        for block in group:
            here |= _by(block, lost.get(block.job, _NONE), everything)
        found = found & here if any_of else found | here
    return found


def _by(block: Block, lost: RangeSet, everything: RangeSet) -> RangeSet:
    """Ranks that one block rules out, when these ranks of its submission never Complete."""
    if block.fired_at:
        return everything if block.fired_at < 0 else _NONE
    if block.kind == "aftercorr":
        return matched(block, Facts(0, 0, 0, 0.0, ended_ranks=lost), everything)[1]
    of_block = RangeSet.span(block.first - block.job, block.first - block.job + block.count - 1)
    if block.kind == "afterok" and not block.last:
        return everything if of_block & lost else _NONE
    if block.kind in ("afterok", "afterexcept", "expand"):
        return _NONE if of_block - lost else everything
    return _NONE
