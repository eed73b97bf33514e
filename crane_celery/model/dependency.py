"""A resolved dependency: the document's clauses with every id turned into a block of plain ids, and its judgement.

The text grammar is grammar.dependency; resolving ``123_[4-9]`` needs the array's index set and is the service's work;
judging is here, pure: facts about blocks of ids go in, a verdict comes out (design.md section 11, document
job-dependency.txt, reference/cranesched.md section 3.3). ``aftercorr`` is judged by ranks: each element waits for the
element of the same index, so its verdict is two sets of ranks, which cost their ranges and never their elements.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import NEVER, WAITING

#: ``Block.fired_at`` of what can never come true any more, unless the dependee is requeued
FAILED = -1.0
_NONE = RangeSet()


@dataclass(frozen=True, slots=True)
class Block:
    """One ``type:id+delay``: it speaks of ``count`` plain ids from ``first`` on, which belong to submission ``job``.

    ``singleton`` names none: ``job`` and ``count`` are 0, and who leads says whether an earlier job of that name lives.
    """

    kind: str  # after afterok afternotok afterany ...
    job: int
    first: int
    count: int
    delay: int  # seconds, counted from the moment the condition came true
    text: str  # as people see it: "afterok:100_[4-9]+00:10:00"
    fired_at: float = 0.0  # server time at which it came true; 0 = not yet, FAILED = never
    array: str = ""  # aftercorr: the dependee's index text, where it differs from the dependant's
    own: str = ""  # and the dependant's
    last: bool = False  # judged by the element that ended last, not by all of them


class Resolved(NamedTuple):
    """Groups of blocks: all blocks of a group must come true (`:`); ``any_of``: one group (`?`) or every one (`,`)."""

    any_of: bool
    groups: tuple[tuple[Block, ...], ...]


class Facts(NamedTuple):
    """Record of what the store knows of a block's ids."""

    began: int  # of them, how many reached Running or ended
    ended: int
    ok: int
    at: float  # server time of the latest of those transitions (0 = long ago)
    lost: int = 0  # of them, how many ended by their node or their time limit
    last_ok: bool = False  # whether the one that ended last Completed
    #: for aftercorr: ranks that ended, ranks that Completed
    ended_ranks: RangeSet = _NONE
    ok_ranks: RangeSet = _NONE


class Verdict(NamedTuple):
    """Record of what becomes of a dependant."""

    dep: Resolved  # with what came true, or cannot any more, stamped
    ready: float  # as Job.ready
    corr: str = ""  # as Job.corr
    dead: str = ""  # as Job.dead


def encode(dep: Resolved) -> str:
    """As JSON text, for the store; trailing fields that hold their default are left out."""
    groups = [[_row(block) for block in group] for group in dep.groups]
    return json.dumps([dep.any_of, groups], separators=(",", ":"))


def _row(block: Block) -> tuple[object, ...]:
    row = astuple(block)
    return row if block.array or block.last else row[:7]


@lru_cache(maxsize=16384)
def decode(text: str) -> Resolved:
    """Back from ``encode``; dependants are often alike, so equal texts are decoded once."""
    any_of, groups = json.loads(text)
    return Resolved(any_of, tuple(tuple(Block(*block) for block in group) for group in groups))


def blocks_of(dep: str) -> list[Block]:
    """All blocks of an encoded dependency; "" has none."""
    return [block for group in decode(dep).groups for block in group] if dep else []


def undecided(dep: str, ready: float, judged_at: float, corr: str) -> bool:
    """Return whether another verdict may follow one with this ``ready``: what is waited for may still matter.

    Of alternatives (``?``) the first to come true may bring a delay, which a later one without would outrun.
    """
    if not dep or ready == WAITING or corr:
        return bool(dep)
    return ready > judged_at and _unfired(decode(dep))


def _unfired(dep: Resolved) -> bool:
    return dep.any_of and any(not block.fired_at for group in dep.groups for block in group)


def holds(block: Block, facts: Facts) -> bool | None:
    """True: came true; False: never will; None: still open."""
    all_ended = facts.ended >= block.count
    match block.kind:
        case "after":
            return True if facts.began >= block.count else None
        case "afterany":
            return True if all_ended else None
        case "afterok" | "afternotok" if block.last:
            return facts.last_ok == (block.kind == "afterok") if all_ended else None
        case "afterok":
            return False if facts.ended > facts.ok else (True if all_ended else None)
        case "afternotok":
            return None if not all_ended else facts.ended > facts.ok
        case "afterexcept":
            return None if not all_ended else facts.lost > 0
        case "expand":
            return False if all_ended else (True if facts.began > facts.ended else None)
        case "singleton":
            return True if facts.ok else None
        case "aftercorr":
            return True if facts.ok >= block.count else None
    raise ValueError(f"unknown dependency type {block.kind!r}")


def fire(block: Block, facts: Facts) -> Block:
    """The block, stamped if it has just come true, or cannot any more."""
    verdict = None if block.fired_at else holds(block, facts)
    if verdict is None:
        return block
    return replace(block, fired_at=(facts.at or 1.0) if verdict else FAILED)


#: kinds that come true, or cannot any more, by ends alone
_OF_ENDS = frozenset({"afterok", "afternotok", "afterany", "afterexcept", "aftercorr"})


def outdated(block: Block, facts: Facts) -> bool:
    """Return whether what is stamped of a block is true no longer, since some of its ids were requeued.

    A ``singleton`` keeps its turn, and so does what came true while an ``expand``'s job ran. The same rules as in
    store/lua/lib/reopen.lua.
    """
    met = block.fired_at > 0
    if not block.fired_at or block.kind == "singleton" or (block.kind == "expand" and met):
        return False
    match block.kind:
        case "after":
            return facts.began < block.count
        case "aftercorr":
            return facts.ok < block.count
        case "afterok" if not met and not block.last:
            return facts.ended == facts.ok
    return facts.ended < block.count


def unstamped(dep: Resolved, facts: Callable[[Block], Facts], ends: bool = False) -> Resolved:
    """The dependency without the stamps that are outdated; ``ends``: without those of any end."""

    def one(block: Block) -> Block:
        stale = block.fired_at and (outdated(block, facts(block)) or (ends and block.kind in _OF_ENDS))
        return replace(block, fired_at=0.0) if stale else block

    return Resolved(dep.any_of, tuple(tuple(map(one, group)) for group in dep.groups))


def judge(dep: Resolved, facts: Mapping[Block, Facts]) -> Verdict:
    """Return what becomes of the dependant by these facts, which are keyed by the blocks of ``dep`` as given."""
    groups = tuple(tuple(fire(block, facts[block]) for block in group) for group in dep.groups)
    stamped, sides = Resolved(dep.any_of, groups), []
    open_ = [block for group in dep.groups for block in group if block.kind == "aftercorr" and block.fired_at <= 0]
    if not open_:
        return Verdict(stamped, ready_of(stamped))
    everything = RangeSet.span(0, max(map(_elements, open_)) - 1)
    for old, group in zip(dep.groups, groups, strict=True):
        sides.append(_side(old, group, facts, everything))
    return _by_ranks(stamped, sides, everything)


def ready_of(dep: Resolved) -> float:
    """``Job.ready`` by what is stamped."""
    return _combine(dep.any_of, [_ready(group) for group in dep.groups])


def _ready(group: Sequence[Block]) -> float:
    if any(block.fired_at < 0 for block in group):
        return NEVER
    return WAITING if any(not block.fired_at for block in group) else max(b.fired_at + b.delay for b in group)


def _combine(any_of: bool, verdicts: list[float]) -> float:
    times = [v for v in verdicts if v >= 0]
    if any_of:
        return min(times) if times else (WAITING if WAITING in verdicts else NEVER)
    if NEVER in verdicts:
        return NEVER
    return WAITING if len(times) < len(verdicts) else max(times, default=0.0)


class _Side(NamedTuple):
    """A group's verdict by ranks."""

    ready: float  # of what it says of all ranks
    free: RangeSet
    dead: RangeSet
    whole: bool  # it says the same of all


def _elements(block: Block) -> int:
    """Elements of the dependant."""
    return len(IndexSet.parse(block.own)) if block.own else block.count


def _side(old: Sequence[Block], group: Sequence[Block], facts: Mapping[Block, Facts], everything: RangeSet) -> _Side:
    by_rank = [each for each, now in zip(old, group, strict=True) if now.kind == "aftercorr" and not now.fired_at]
    ready = _ready([block for block in group if block.fired_at or block.kind != "aftercorr"] or [_ALWAYS])
    if ready < 0:
        return _Side(ready, _NONE, everything if ready == NEVER else _NONE, True)
    free, dead = everything, _NONE
    for block in by_rank:
        passed, lost = matched(block, facts[block], everything)
        free, dead = free & passed, dead | lost
    return _Side(ready, free - dead, dead, not by_rank)


_ALWAYS = Block("after", 0, 0, 0, 0, "", 0.5)


def matched(block: Block, facts: Facts, everything: RangeSet) -> tuple[RangeSet, RangeSet]:
    """Ranks of the dependant whose counterpart Completed, and those whose counterpart ended otherwise; an element
    without a counterpart waits for all of the dependee."""
    ok, bad = facts.ok_ranks, facts.ended_ranks - facts.ok_ranks
    if not block.own:
        return ok, bad
    mine, theirs = IndexSet.parse(block.own), IndexSet.parse(block.array)
    passed, lost = (mine.ranks_of(theirs.text_of(ranks)) if ranks else _NONE for ranks in (ok, bad))
    if bad:
        lost |= everything - mine.ranks_of(theirs)
    return passed, lost


def _by_ranks(stamped: Resolved, sides: list[_Side], everything: RangeSet) -> Verdict:
    if stamped.any_of:
        return _any_by_ranks(stamped, sides, everything)
    ready = _combine(False, [side.ready for side in sides])
    free, dead = everything, _NONE
    for side in sides:
        free, dead = free & side.free, dead | side.dead
    return _of_ranks(stamped, ready, free - dead, dead, everything)


def _any_by_ranks(stamped: Resolved, sides: list[_Side], everything: RangeSet) -> Verdict:
    at_all = [side.ready for side in sides if side.whole and side.ready >= 0]
    if at_all:
        return Verdict(stamped, min(at_all))
    free, dead = _NONE, everything
    for side in sides:
        free, dead = free | side.free, dead & side.dead
    times = [side.ready for side in sides if side.ready >= 0]
    return _of_ranks(stamped, max(times) if times else WAITING, free, dead - free, everything)


def _of_ranks(stamped: Resolved, ready: float, free: RangeSet, dead: RangeSet, everything: RangeSet) -> Verdict:
    if ready == NEVER or not everything - dead:
        return Verdict(stamped, NEVER)
    if ready == WAITING:
        return Verdict(stamped, WAITING, "", dead.text)
    return Verdict(stamped, ready, (everything - free - dead).text, dead.text)
