"""A progress bar on stderr, drawn on a terminal only."""

from __future__ import annotations

import sys

from crane_celery.grammar.printable import cut, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_WIDTH = 24
_USUAL = 80


def columns(stream: TextIO) -> int:
    """The width of the terminal behind a stream, 80 where it has none."""
    import os

    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except (OSError, ValueError, AttributeError):
        return _USUAL


class Progress:
    """Shows ``done`` of ``total``; silent where nobody looks."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        """``label`` stands before the bar; the stream is stderr by default."""
        self._label = label
        self._stream = stream or sys.stderr
        #: whether anybody looks
        self.seen = self._stream.isatty()
        self._drawn = False

    def show(self, done: int, total: int, note: str = "") -> None:
        """Draw the state, over the one before."""
        if total > 0:
            full = _WIDTH * done // total
            bar = "#" * full + "." * (_WIDTH - full)
            self.line(f"{self._label} [{bar}] {done}/{total}{note and ' '}{note}")

    def line(self, text: str) -> None:
        """Draw a line of any text, over the one before, within the terminal's width."""
        if self.seen:
            self._stream.write(f"\r{cut(visible(text), columns(self._stream) - 1)}\033[K")
            self._stream.flush()
            self._drawn = True

    def close(self) -> None:
        """Go to the next line, if anything was drawn."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False
