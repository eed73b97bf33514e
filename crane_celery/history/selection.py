"""Selectors (``36``, ``36_[1-3]``, ``12.2``) as plain ids and step numbers. Pure, but for the lookup it is given."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.model.job import Job


class Picked(NamedTuple):
    """Record of what selectors mean."""

    ids: RangeSet
    #: ids of which only these steps are wanted, unless ``whole`` has them too
    parts: tuple[tuple[RangeSet, int], ...]
    whole: RangeSet

    def among(self, ids: RangeSet) -> "Picked":
        """Return what they mean of these ids."""
        return Picked(self.ids & ids, tuple((some & ids, step) for some, step in self.parts), self.whole & ids)

    def narrow(self, id: int, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The steps of a run that are wanted."""
        if id in self.whole:
            return steps
        numbers = {step for ids, step in self.parts if id in ids}
        return [step for step in steps if step["step"] in numbers]


def pick(selectors: Iterable[Selector], owner: Callable[[int], Job | None]) -> Picked:
    """Resolve selectors; ``owner`` gives the submission of a plain id. What does not exist means no id."""
    ids = whole = RangeSet()
    parts: list[tuple[RangeSet, int]] = []
    for selector in selectors:
        meant = _ids_of(selector, owner(selector.job))
        ids |= meant
        if selector.step is None:
            whole |= meant
        else:
            parts.append((meant, selector.step))
    return Picked(ids, tuple(parts), whole)


def _ids_of(selector: Selector, job: Job | None) -> RangeSet:
    """A submission's own id means all of it, but its first element where a step is named (a step's id begins with a
    plain id); with indexes, those; another id of its block means that element."""
    if job is None:
        return RangeSet()
    if selector.job != job.id:
        return RangeSet() if selector.part else RangeSet.span(selector.job, selector.job)
    if not selector.part:
        return RangeSet.span(job.id, job.id if selector.step is not None else job.id + job.count - 1)
    if not job.is_array:
        return RangeSet()
    ranks = IndexSet.parse(job.spec.array).ranks_of(selector.part)
    return ranks.shifted(job.id)
