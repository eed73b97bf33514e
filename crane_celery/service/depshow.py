"""How a job's dependency is shown (documents/job-dependency.txt, reference/cranesched.md section 3.3). Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import FAILED, Block, Facts, Resolved, decode, holds
from crane_celery.model.job import NEVER, WAITING, Job

#: (ended, succeeded) over a block of ids
Bits = Callable[[int, int], tuple[int, int]]


class Shown(NamedTuple):
    """The parts of ``Dependency=``."""

    pending: str  # what has not come true yet
    status: str  # WaitForAll WaitForAny ReadyAfter SomeFailed AllFailed
    detail: str  # every condition with (fulfilled) (unfulfilled) (failed)
    ready_at: float  # server time, with ReadyAfter; else 0


def of_rank(job: Job, rank: int) -> tuple[Resolved, float]:
    """The dependency and ``ready`` as they are for one rank: with aftercorr each element has its own."""
    dep, state = decode(job.dep), 1.0
    if job.ready == NEVER or rank in RangeSet.parse(job.dead):
        state = FAILED
    elif job.ready == WAITING or rank in RangeSet.parse(job.corr):
        state = 0.0
    groups = tuple(tuple(_for_rank(block, state) for block in group) for group in dep.groups)
    if not (job.corr or job.dead):
        return Resolved(dep.any_of, groups), job.ready
    return Resolved(dep.any_of, groups), NEVER if state < 0 else job.ready if state else WAITING


def _for_rank(block: Block, state: float) -> Block:
    return replace(block, fired_at=state) if block.kind == "aftercorr" and not block.fired_at else block


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
