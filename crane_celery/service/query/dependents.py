"""The reverse of a dependency: who waits for a job, directly. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Block, blocks_of
from crane_celery.model.job import NEVER, Job
from crane_celery.model.states import State
from crane_celery.service.shared.targets import Target


def dependents(targets: Sequence[Target], jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """For each target the jobs of ``jobs`` that wait or waited for any of it, by which condition, and how it stands."""
    waiting = [(job, blocks_of(job.dep)) for job in jobs if job.dep]
    return [{"jobid": each.shown, "dependents": _of(each, waiting)} for each in targets]


def _of(target: Target, waiting: Sequence[tuple[Job, list[Block]]]) -> list[dict[str, Any]]:
    ids = target.ranks.shifted(target.job.id)
    found = []
    for job, blocks in waiting:
        mine = [each for each in blocks if each.job == target.job.id and _meets(each, ids)]
        if mine:
            texts = dict.fromkeys(f"{each.text}({_state(each)})" for each in mine)
            state = State.PENDING if job.pending else job.worst_state or State.RUNNING
            text = ",".join(texts) + (" DependencyNeverSatisfied" if job.pending and job.ready == NEVER else "")
            found.append({"jobid": str(job.id), "state": str(state), "text": text})
    return found


def _meets(block: Block, ids: RangeSet) -> bool:
    return bool(RangeSet.span(block.first, block.first + block.count - 1) & ids)


def _state(block: Block) -> str:
    return "unfulfilled" if not block.fired_at else "fulfilled" if block.fired_at > 0 else "failed"
