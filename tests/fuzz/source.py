"""Bytes as a source of choices, so that a fuzzer which changes bytes changes one choice of a structured input.

Without bytes left every choice is the first one: an input of no bytes is the plainest one.
"""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Reads choices off some bytes."""

    def __init__(self, data: bytes) -> None:
        """Begin with the first byte."""
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte, 0 when there is none."""
        at = self._at
        if at >= len(self._data):
            return 0
        self._at = at + 1
        return self._data[at]

    def below(self, count: int) -> int:
        """Return a whole number from 0 to ``count`` - 1."""
        if count <= 1:
            return 0
        if count <= 256:
            return self.byte() % count
        return ((self.byte() << 16) | (self.byte() << 8) | self.byte()) % count

    def once_in(self, count: int) -> bool:
        """Return True once in so many times; never when there are no bytes left."""
        return self.below(count) == count - 1

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return choices[self.below(len(choices))]
