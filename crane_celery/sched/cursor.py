"""Goes through the elements of a submission. Pure."""

from __future__ import annotations

from collections.abc import Iterable


class Cursor:
    """Goes through ranks; ``rank`` is the next one, None at the end."""

    __slots__ = ("_left", "rank")

    def __init__(self, ranks: Iterable[int]) -> None:
        self._left = iter(ranks)
        self.rank: int | None = next(self._left, None)

    def step(self) -> None:
        """To the next."""
        self.rank = next(self._left, None)
