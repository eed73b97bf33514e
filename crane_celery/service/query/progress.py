"""Define how far the jobs that somebody waits for have come."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from crane_celery.errors import NotFound
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.model.job import Job
from crane_celery.model.states import TERMINATED
from crane_celery.service.shared.resolve import Past, element_ranks
from crane_celery.service.shared.targets import target
from crane_celery.store.api import Store

#: the code of a job of which nothing is left but that it failed
FAILED = 1
#: ranges that are asked for one by one
FEW = 16


class Goal(NamedTuple):
    """Ids that somebody waits for."""

    shown: str
    job: int
    ranks: RangeSet
    whole: bool


class Standing(NamedTuple):
    """Record of how far one goal is."""

    total: int
    ended: int
    ok: int
    #: neither started nor ended
    pending: int


def goals(selectors: Sequence[Selector], store: Store, past: Past) -> list[Goal]:
    """Return what is waited for. Raises NotFound for an id that was never given out, or elements that there are not."""
    found = []
    for selector in selectors:
        try:
            each = target(selector, store)
            found.append(Goal(each.shown, each.job.id, each.ranks, each.whole))
        except NotFound:
            if store.job(selector.job) is not None:
                raise  # it says which elements there are
            found.append(_gone(selector, store, past))
    return found


def _gone(selector: Selector, store: Store, past: Past) -> Goal:
    """Return what has left the server: the bits of its ids are there. Raises NotFound."""
    array = past.array_of(selector.job) if store.known(selector.job) else ""
    if not store.known(selector.job) or (selector.part and not array):
        raise NotFound(f"there is no job {format_selector(selector)}")
    count = len(IndexSet.parse(array)) if array else 1
    ranks = element_ranks(selector.job, array, selector.part) if selector.part else RangeSet.span(0, count - 1)
    return Goal(format_selector(selector), selector.job, ranks, False)


def standing(goal: Goal, store: Store) -> Standing:
    """Return where it stands: one record for a whole submission, else the bits of its ids."""
    job = store.job(goal.job)
    pending = len(RangeSet.parse(job.pending) & goal.ranks) if job is not None and job.pending else 0
    if job is not None and goal.whole:
        return Standing(job.count, job.count if job.ended_at else min(job.ended, job.count - 1), job.ok, pending)
    ended, ok = _counts(goal, store)
    return Standing(len(goal.ranks), ended, ok, pending)


def _counts(goal: Goal, store: Store) -> tuple[int, int]:
    """Return how many have ended, and Completed: a few ranges are counted by the server."""
    spans = list(islice(goal.ranks.spans(), FEW + 1))
    if len(spans) > FEW:
        ended, ok = store.outcome(goal.job, goal.ranks.last + 1)
        return len(ended & goal.ranks), len(ok & goal.ranks)
    counts = [store.ended_bits(goal.job + low, high - low + 1) for low, high in spans]
    return sum(ended for ended, _ in counts), sum(ok for _, ok in counts)


def code(goal: Goal, store: Store) -> int:
    """The highest stored exit code of an ended goal."""
    job: Job | None = store.job(goal.job)
    if goal.whole and job is not None:
        return job.worst_code
    stand = standing(goal, store)
    if stand.ok == stand.total:
        return 0
    ran = store.elements(goal.job + rank for rank in goal.ranks)
    never_ran = job is not None and len(ran) < stand.total
    codes = [element.code for element in ran] + [TERMINATED if never_ran else 0]
    return max(codes) or (TERMINATED if ran else FAILED)  # cancelled while pending, after a run that Completed
