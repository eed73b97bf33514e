"""A resolved dependency: the document's clauses with every id turned into a block of plain ids, and its judgement.

The text grammar is grammar.dependency; resolving ``123_[4-9]`` needs the array's index set and is the service's work;
judging is here, pure: facts about blocks of ids go in, a verdict comes out (design.md section 11, document
job-dependency.txt, reference/cranesched.md section 3.3).
"""

import json
from dataclasses import astuple, dataclass, replace
from typing import NamedTuple

from crane_celery.model.job import NEVER, WAITING


@dataclass(frozen=True, slots=True)
class Block:
    """One ``type:id+delay``: it speaks of ``count`` plain ids from ``first`` on, which belong to submission ``job``."""

    kind: str  # after afterok afternotok afterany ...
    job: int
    first: int
    count: int
    delay: int  # seconds, counted from the moment the condition came true
    text: str  # as people see it: "afterok:100_[4-9]+00:10:00"
    fired_at: float = 0.0  # server time at which it came true; 0 = not yet


class Resolved(NamedTuple):
    """Groups of blocks: all blocks of a group must come true (`:`); ``any_of``: one group (`?`) or every one (`,`)."""

    any_of: bool
    groups: tuple[tuple[Block, ...], ...]


class Facts(NamedTuple):
    """What the store knows of a block's ids."""

    began: int  # of them, how many reached Running or ended
    ended: int
    ok: int
    at: float  # server time of the latest of those transitions (0 = long ago)


def encode(dep: Resolved) -> str:
    """As JSON text, for the store."""
    groups = [[astuple(block) for block in group] for group in dep.groups]
    return json.dumps([dep.any_of, groups], separators=(",", ":"))


def decode(text: str) -> Resolved:
    """Back from ``encode``."""
    any_of, groups = json.loads(text)
    return Resolved(any_of, tuple(tuple(Block(*block) for block in group) for group in groups))


def holds(block: Block, facts: Facts) -> bool | None:
    """True: came true; False: never will; None: still open."""
    all_ended = facts.ended >= block.count
    match block.kind:
        case "after":
            return True if facts.began >= block.count else None
        case "afterany":
            return True if all_ended else None
        case "afterok":
            return False if facts.ended > facts.ok else (True if all_ended else None)
        case "afternotok":
            return None if not all_ended else facts.ended > facts.ok
    raise ValueError(f"unknown dependency type {block.kind!r}")


def fire(block: Block, facts: Facts) -> Block:
    """The block, stamped if it has just come true."""
    return replace(block, fired_at=facts.at or 1.0) if not block.fired_at and holds(block, facts) else block


def judge(dep: Resolved, facts: dict[Block, Facts]) -> tuple[Resolved, float]:
    """The dependency with fired blocks stamped, and ``Job.ready``: a time from which it may start, WAITING or NEVER.

    ``facts`` is keyed by the blocks of ``dep`` as given.
    """
    groups, verdicts = [], []
    for group in dep.groups:
        stamped = tuple(fire(block, facts[block]) for block in group)
        groups.append(stamped)
        verdicts.append(_group_ready(group, stamped, facts))
    return Resolved(dep.any_of, tuple(groups)), _combine(dep.any_of, verdicts)


def _group_ready(group: tuple[Block, ...], stamped: tuple[Block, ...], facts: dict[Block, Facts]) -> float:
    if any(not new.fired_at and holds(old, facts[old]) is False for old, new in zip(group, stamped, strict=True)):
        return NEVER
    return WAITING if any(not block.fired_at for block in stamped) else max(b.fired_at + b.delay for b in stamped)


def _combine(any_of: bool, verdicts: list[float]) -> float:
    times = [v for v in verdicts if v >= 0]
    if any_of:
        return min(times) if times else (WAITING if WAITING in verdicts else NEVER)
    if NEVER in verdicts:
        return NEVER
    return WAITING if len(times) < len(verdicts) else max(times, default=0.0)
