"""A progress bar on stderr, drawn on a terminal only."""

from __future__ import annotations

import sys

from crane_celery.grammar.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_WIDTH = 24


class Progress:
    """Shows ``done`` of ``total``; silent where nobody looks."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        """``label`` stands before the bar; the stream is stderr by default."""
        self._label = label
        self._stream = stream or sys.stderr
        self._on = self._stream.isatty()
        self._drawn = False

    def show(self, done: int, total: int, note: str = "") -> None:
        """Draw the state, over the one before."""
        if not self._on or total <= 0:
            return
        full = _WIDTH * done // total
        bar = "#" * full + "." * (_WIDTH - full)
        self._stream.write(f"\r{self._label} [{bar}] {done}/{total}{note and ' '}{visible(note)}\033[K")
        self._stream.flush()
        self._drawn = True

    def close(self) -> None:
        """Go to the next line, if anything was drawn."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
