"""Define how a job's dependency is shown (documents/job-dependency.txt, reference/cranesched.md section 3.3). Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import FAILED, Block, Facts, Resolved, decode, holds, ready_of
from crane_celery.model.job import NEVER, WAITING, Job

#: (ended, succeeded) over a block of ids
Bits = Callable[[int, int], tuple[int, int]]
#: the server time at which the element of a plain id ended, 0 = not known
Moments = Callable[[int], float]
#: a ``ready`` below says that it came true at a moment that nobody knows any more
LONG_AGO = 1e9


class Shown(NamedTuple):
    """The parts of ``Dependency=``."""

    pending: str  # what has not come true yet
    status: str  # WaitForAll WaitForAny ReadyAfter SomeFailed AllFailed
    detail: str  # every condition with (fulfilled) (unfulfilled) (failed)
    ready_at: float  # server time, with ReadyAfter; else 0


def of_rank(job: Job, rank: int, ended_at: Moments | None = None) -> tuple[Resolved, float]:
    """The dependency and ``ready`` as they are for one rank: with aftercorr each element has its own.

    ``ended_at`` tells when its counterpart ended, and so since when it is ready; without it, the whole line is meant.
    """
    dep, state = decode(job.dep), 1.0
    if job.ready == NEVER or rank in RangeSet.parse(job.dead):
        state = FAILED
    elif job.ready == WAITING or rank in RangeSet.parse(job.corr):
        state = 0.0
    known = _ends(dep, rank, ended_at) if state > 0 and ended_at else {}
    groups = tuple(tuple(_for_rank(block, known.get(block, state)) for block in group) for group in dep.groups)
    found = Resolved(dep.any_of, groups)
    if state > 0:
        ready = ready_of(found) if known else job.ready
        return found, ready if ready > LONG_AGO else job.judged_at or job.submitted_at
    return found, NEVER if state < 0 else WAITING


def _ends(dep: Resolved, rank: int, ended_at: Moments) -> dict[Block, float]:
    """When the counterparts of a rank ended, of those of which that is known."""
    blocks = [block for group in dep.groups for block in group if block.kind == "aftercorr" and block.fired_at >= 0]
    found = {block: ended_at(id_) for block in blocks if (id_ := _counterpart(block, rank))}
    return {block: at for block, at in found.items() if at}


def _counterpart(block: Block, rank: int) -> int:
    """The plain id that this rank waits for, 0 where that is the whole of the dependee."""
    if not block.own:
        return block.first + rank
    there = IndexSet.parse(block.array).rank_of(IndexSet.parse(block.own).index_of(rank))
    return 0 if there is None else block.first + there


def _for_rank(block: Block, state: float) -> Block:
    if block.kind != "aftercorr" or block.fired_at < 0 or (block.fired_at and state <= 1.0):
        return block
    return replace(block, fired_at=state)


def show(dep: Resolved, ready: float, bits: Bits) -> Shown:
    """Judge each condition by the bits of its ids, for people; the scheduler's verdict is ``ready``."""
    separator = "?" if dep.any_of else ","
    states = [_states(group, bits) for group in dep.groups]
    pending = [[text for text, state in group if state == "unfulfilled"] for group in states]
    detail = [[f"{text}({state})" for text, state in group] for group in states]
    return Shown(
        separator.join(_fold(group) for group in pending if group),
        _status(dep.any_of, ready),
        separator.join(map(_fold, detail)),
        max(ready, 0.0),
    )


def _status(any_of: bool, ready: float) -> str:
    if ready == NEVER:
        return "AllFailed" if any_of else "SomeFailed"
    if ready == WAITING:
        return "WaitForAny" if any_of else "WaitForAll"
    return "ReadyAfter"


def _states(group: Sequence[Block], bits: Bits) -> list[tuple[str, str]]:
    """(text, state) of each condition as typed: one condition may be several blocks."""
    found: dict[str, list[str]] = {}
    for block in group:
        found.setdefault(block.text, []).append(_state(block, bits))
    return [(text, max(each, key=("fulfilled", "unfulfilled", "failed").index)) for text, each in found.items()]


def _state(block: Block, bits: Bits) -> str:
    if block.fired_at:
        return "fulfilled" if block.fired_at > 0 else "failed"
    if block.last or block.kind not in ("afterok", "afternotok"):
        return "unfulfilled"
    ended, ok = bits(block.first, block.count)
    return "failed" if holds(block, Facts(ended, ended, ok, 0.0)) is False else "unfulfilled"


def _fold(texts: Sequence[str]) -> str:
    """``afterok:1`` and ``afterok:2`` of one clause as ``afterok:1:2``."""
    return ":".join([texts[0], *(text.partition(":")[2] for text in texts[1:])])
