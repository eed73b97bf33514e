"""The arrangement of a listing's lines: folded or one for each element, sorted, as a tree, up to a limit. Pure."""

from __future__ import annotations

from cli.output.table import NUMBERS, first, unfolded, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    from cli.output.table import Answer
else:
    from crane_celery.grammar._record import NamedTuple


class Arrangement(NamedTuple):
    """Record of how the lines of ``cqueue`` are arranged."""

    limit: int
    #: a line for each element of an array
    each: bool = False
    #: (key, whether from high to low)
    order: tuple[tuple[str, bool], ...] = ()
    #: pending jobs stand under what they depend on
    tree: bool = False

    @property
    def whole(self) -> bool:
        """Return whether all lines are needed before the first ``limit`` are known."""
        return bool(self.order) or self.tree

    @property
    def _apart(self) -> bool:
        """Return whether elements of one line have places of their own in the order."""
        return self.each and any(key in NUMBERS for key, _ in self.order)

    def needs(self) -> set[str]:
        """Return the keys of a row that arranging needs."""
        found = {"jobid", *(key for key, _ in self.order)}
        if self.each:
            found |= {"job", "indexes", "count"}
        if self._apart:
            found |= {"ranks", *NUMBERS}
        return found | ({"job", "depends"} if self.tree else set())

    def of(self, answer: Answer) -> Answer:
        """Return the lines arranged."""
        if self._apart:
            answer = unfolded(answer, sum(values(answer, "count")), numbers=True)
        if self.whole:
            answer = self._sorted(answer)
        if self.each and not self._apart:
            return unfolded(answer, self.limit)
        return first(answer, self.limit) if answer["count"] > self.limit else answer

    def _sorted(self, answer: Answer) -> Answer:
        from cli.output.order import sorted_by, tree

        answer = sorted_by(answer, self.order)
        return tree(answer) if self.tree else answer
