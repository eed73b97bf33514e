"""A terminal as a page: only what has changed is drawn again, within the height and the width that there are.

The page is the terminal's other screen, so that what stood there before comes back at the end, however that comes.
Lines are already safe to show (cli.output.render).
"""

from __future__ import annotations

import io
import os
import signal
import sys

from crane_celery.grammar.printable import cut
from crane_celery.grammar.printable import width as columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Any

_ENTER, _LEAVE = "\033[?1049h\033[?25l\033[H\033[2J", "\033[?25h\033[?1049l"
_TO_END = "\033[K"
_SIGNALS = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT, signal.SIGTERM, signal.SIGHUP)


class Screen:
    """Use as a context manager, in the main thread; SIGTERM ends what goes on inside as SystemExit."""

    def __init__(self, fd: int) -> None:
        """``fd``: the terminal."""
        self._fd = fd
        self._lines: list[str] = []
        self._shown: list[str] = []
        self._before: dict[int, Any] = {}
        self._attributes: Any = None
        self._drawing = self._stale = self._damaged = False

    def __enter__(self) -> Screen:
        """Turn to the other screen; what is typed there is not shown."""
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._signalled)
        self._attributes = _quiet()
        self._write(_ENTER)
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give the terminal back as it was."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._write(_LEAVE)
        _restore(self._attributes)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, as many and as much of them as there is room for."""
        self._lines = list(lines)
        self._refresh()

    def _refresh(self) -> None:
        """Draw; draw again if a signal arrives meanwhile, at any point of this function."""
        self._stale = True
        if self._drawing:
            return
        while self._stale:
            self._drawing = True
            while self._stale:
                self._stale = False
                self._draw_changes()
            self._drawing = False

    def _draw_changes(self) -> None:
        if self._damaged:
            self._damaged = False
            self._shown = []
            self._write("\033[2J")
        width, height = self._size()
        fitting = [cut(line, width) for line in page(self._lines, height)]
        changed = [
            f"\033[{at};1H{line}{_TO_END if columns(line) < width else ''}"
            for at, line in enumerate(fitting, 1)
            if at > len(self._shown) or self._shown[at - 1] != line
        ]
        if len(fitting) < len(self._shown):
            changed.append(f"\033[{len(fitting) + 1};1H\033[J")
        self._shown = fitting
        self._write("".join(changed))

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        """Another size, or the terminal is ours again: draw all of it. Ctrl-Z: give it back until then. An end."""
        if number in (signal.SIGTERM, signal.SIGHUP):
            raise SystemExit(128 + number)
        if number == signal.SIGTSTP:
            self._write(_LEAVE)
            _restore(self._attributes)
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if number == signal.SIGCONT:
            _quiet()
            self._write(_ENTER)
        self._damaged = True
        self._refresh()

    def _write(self, text: str) -> None:
        data = text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]


def page(lines: Sequence[str], height: int) -> list[str]:
    """The lines that fit, the last of them saying how many do not."""
    if len(lines) <= height:
        return list(lines)
    kept = max(0, height - 1)
    return [*lines[:kept], f"... {len(lines) - kept} more"][:height]


def caught(show: Callable[[], object]) -> list[str]:
    """The lines that ``show`` writes to stdout, and those to stderr behind them."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams = _memory(before[0].encoding), _memory(before[1].encoding)
    try:
        show()
    finally:
        sys.stdout, sys.stderr = before
    lines = []
    for stream in streams:
        stream.seek(0)
        lines += stream.read().split("\n")[:-1]
    return lines


def _memory(encoding: str | None) -> io.TextIOWrapper:
    """A stream of this encoding that keeps what is written."""
    return io.TextIOWrapper(io.BytesIO(), encoding or "utf-8", "backslashreplace", newline="\n")


def _quiet() -> Any:
    """Switch off that the terminal shows what is typed; its attributes before, None where stdin is none."""
    import termios

    try:
        found = termios.tcgetattr(0)
        termios.tcsetattr(0, termios.TCSADRAIN, [*found[:3], found[3] & ~termios.ECHO, *found[4:]])
    except termios.error:
        return None
    return found


def _restore(attributes: Any) -> None:
    import termios

    if attributes is not None:
        termios.tcsetattr(0, termios.TCSAFLUSH, attributes)
