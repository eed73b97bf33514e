"""Which submissions and ranks people mean by ``12``, ``12_4``, ``12_[1-3]`` or an element's plain id."""

from typing import NamedTuple

from crane_celery.errors import CraneError, NotFound
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import ALL, Selector, format_selector, target_text
from crane_celery.model.job import Job
from crane_celery.service.shared.resolve import Lookup, element_ranks


class Target(NamedTuple):
    """Ranks of one submission, under the name by which they were asked for."""

    shown: str
    job: Job
    ranks: RangeSet
    #: whether the whole submission is meant
    whole: bool
    step: int | None = None


class Missed(NamedTuple):
    """Record of what was asked for and is not there."""

    shown: str
    error: CraneError


def target(selector: Selector, store: Lookup) -> Target:
    """The target of one selector: a bare array id means the whole array, in a step's id its first element, whose plain
    id it is. Raises NotFound."""
    shown = format_selector(selector)
    job = store.job(selector.job)
    if job is not None:
        ranks = _ranks(selector, job)
        return Target(shown, job, ranks, len(ranks) == job.count, selector.step)
    owner = None if selector.part else store.find(selector.job)
    if owner is None:
        raise NotFound("Job not found")
    rank = selector.job - owner.id
    return Target(shown, owner, RangeSet.span(rank, rank), owner.count == 1, selector.step)


def _ranks(selector: Selector, job: Job) -> RangeSet:
    if selector.part not in ("", ALL):
        return element_ranks(job.id, job.spec.array, selector.part)
    of_first = selector.step is not None and not selector.part
    return RangeSet.span(0, 0 if of_first else job.count - 1)


def targets(selectors: tuple[Selector, ...], store: Lookup) -> tuple[list[Target], list[Missed]]:
    """All targets in the order named, and those that are not there. Of a range wider than its array the elements that
    exist are a target, and the range is told of as missed."""
    found: list[Target] = []
    missed: list[Missed] = []
    for selector in selectors:
        try:
            found.append(target(selector, store))
        except NotFound as error:
            partly = _those_there(selector, store)
            why: CraneError = error
            if partly:
                found.append(partly)
                array = partly.job.spec.array[:80]
                why = NotFound(f"it has elements that array {selector.job} has not: its indexes are {array}")
            missed.append(Missed(format_selector(selector), why))
    return found, missed


def _those_there(selector: Selector, store: Lookup) -> Target | None:
    """The elements that exist of a range that names others too."""
    job = store.job(selector.job) if selector.part else None
    if job is None or not job.is_array:
        return None
    indexes = IndexSet.parse(job.spec.array)
    ranks = indexes.ranks_of(selector.part)
    shown = target_text(job.id, indexes.text_of(ranks))
    return Target(shown, job, ranks, len(ranks) == job.count, selector.step) if ranks else None
