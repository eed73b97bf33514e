"""The page on a terminal: signals that arrive at any point of drawing it."""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from cli.common import screen
from cli.common.screen import Screen

LINES = [f"line {number}" for number in range(6)]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal of 20 columns and 8 lines."""
    ends = pty.openpty()
    resize(ends[0], 20, 8)
    yield ends
    for end in ends:
        os.close(end)


def resize(master: int, columns: int, lines: int) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def at_step(number: int, act: Callable[[], None]) -> Callable[..., Any]:
    """Return a trace function that acts before the ``number``-th line that runs in the module of the screen."""
    left = [number]

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != screen.__file__:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                sys.settrace(None)
                act()
        return trace

    return trace


def drawn_after_a_signal(terminal: tuple[int, int], step: int, to: tuple[int, int]) -> tuple[list[str], bool]:
    """Draw; resize at this step of it. Return what the last clearing left on the screen, and whether the step came."""
    master, slave = terminal
    resize(master, 20, 8)
    came = []

    def act() -> None:
        came.append(True)
        resize(master, *to)
        os.kill(os.getpid(), signal.SIGWINCH)

    with Screen(slave) as page:
        page.draw(LINES[:2])
        before = sys.gettrace()
        sys.settrace(at_step(step, act))
        try:
            page.draw(LINES)
        finally:
            sys.settrace(before)
    text = ""
    while not text.endswith(screen._LEAVE):
        text += os.read(master, 65536).decode()
    return text.removesuffix(screen._LEAVE).rpartition("\033[2J")[2].split("\033[")[1:], bool(came)


@pytest.mark.parametrize("to", [(20, 4), (40, 12)])
def test_a_signal_at_any_step_of_drawing_leaves_the_whole_page(
    terminal: tuple[int, int], to: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "_quiet", lambda: None)
    step, came = 1, True
    while came:
        pieces, came = drawn_after_a_signal(terminal, step, to)
        rows = {piece.partition("H")[0]: piece.partition("H")[2] for piece in pieces if "H" in piece}
        expected = [*LINES[:3], "... 3 more"] if to[1] == 4 else LINES
        if came:
            assert rows == {f"{at};1": line for at, line in enumerate(expected, 1)}, step
        step += 1
    assert step > 20
