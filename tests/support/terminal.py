"""A terminal for tests: a command behind a pty, and what a person would see of it.

It obeys what the commands send (cursor to a row or home, clear, clear to the end, the other screen) and nothing else:
any other sequence or control character is a failure.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from crane_celery.grammar.printable import width

PATIENCE_S = 30.0
_PIECES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|[\r\n\t]|[^\x00-\x1f\x7f]+|(.)", re.DOTALL)


class Page:
    """Rows of a screen and where the cursor is."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.row = self.column = 0

    @property
    def text(self) -> str:
        """Return what stands on it."""
        return "\n".join(self.rows.get(row, "").rstrip() for row in range(max(self.rows, default=-1) + 1)).rstrip()

    def put(self, text: str) -> None:
        """Write at the cursor."""
        before = self.rows.get(self.row, "").ljust(self.column)
        self.rows[self.row] = before[: self.column] + text + before[self.column + len(text) :]
        self.column += len(text)


class Terminal:
    """One command on a terminal of ``columns`` times ``lines``."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int, lines: int, cwd: Path) -> None:
        self.master, slave = pty.openpty()
        self.columns, self.lines = columns, lines
        self.resize(columns, lines)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # what runs in the background of a script ignores Ctrl-C, and so would all that it starts
            signal.signal(signal.SIGINT, signal.default_int_handler)
        #: setsid makes it the controlling terminal, so that its keys send signals
        self.process = subprocess.Popen(
            ["setsid", "-c", *argv], stdin=slave, stdout=slave, stderr=slave, env={**env, "TERM": "xterm"}, cwd=cwd
        )
        os.close(slave)
        self.main, self.other = Page(), Page()
        self.on_other = False
        #: all that came, and how much of it since ``mark``
        self.raw, self._marked, self._rest = "", 0, b""

    @property
    def page(self) -> Page:
        """The screen that is seen."""
        return self.other if self.on_other else self.main

    @property
    def text(self) -> str:
        """Return what is seen."""
        return self.page.text

    def resize(self, columns: int, lines: int) -> None:
        """Set another size; the kernel sends SIGWINCH."""
        self.columns, self.lines = columns, lines
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C."""
        os.write(self.master, keys.encode())

    def mark(self) -> None:
        """Count what comes from now on."""
        self._marked = len(self.raw)

    @property
    def since(self) -> str:
        """Return what came since the mark."""
        return self.raw[self._marked :]

    def until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Read until it holds."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            left = end - time.monotonic()
            assert left > 0 and self._read(left), f"{what}; seen:\n{self.text}\n---\n{self.raw[-2000:]!r}"

    def see(self, text: str) -> None:
        """Wait until a text is seen."""
        self.until(lambda: text in self.text, f"waiting for {text!r}")

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read(PATIENCE_S):
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self, patience: float) -> bool:
        if not select.select([self.master], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        text = (self._rest + data).decode("utf-8", "surrogateescape")
        cut = re.search(r"\x1b(\[[?\d;]*)?$", text)
        self._rest = text[cut.start() :].encode("utf-8", "surrogateescape") if cut else b""
        self._obey(text[: cut.start()] if cut else text)
        return bool(data)

    def _obey(self, text: str) -> None:
        self.raw += text
        for piece in _PIECES.finditer(text):
            assert piece[3] is None, f"control character {piece[3]!r}"
            if piece[2]:
                self._command(piece[1], piece[2])
            elif piece[0] == "\r":
                self.page.column = 0
            elif piece[0] == "\t":
                self.page.put(" " * (8 - self.page.column % 8))
            elif piece[0] == "\n":
                self.page.row += 1
                self.page.column = 0
            else:
                self.page.put(piece[0])
                wide = width(self.page.rows[self.page.row])
                assert not self.on_other or wide <= self.columns, f"beyond the width: {self.page.rows[self.page.row]!r}"

    def _command(self, number: str, letter: str) -> None:
        page = self.page
        if letter == "H":
            row, _, column = number.partition(";")
            page.row, page.column = int(row or 1) - 1, int(column or 1) - 1
            assert page.row < self.lines, "below the last line"
        elif letter == "K":
            page.rows[page.row] = page.rows.get(page.row, "")[: page.column]
        elif letter == "J":
            page.rows = {} if number == "2" else {row: text for row, text in page.rows.items() if row < page.row}
        elif (number, letter) in (("?1049", "h"), ("?1049", "l")):
            self.on_other = letter == "h"
        else:
            assert letter == "m" or number == "?25", f"unknown sequence {number}{letter}"


@contextmanager
def terminal(
    argv: Sequence[str], env: Mapping[str, str], columns: int = 80, lines: int = 24, cwd: Path = Path("/")
) -> Iterator[Terminal]:
    """A command on a terminal; ended at the end if it has not by then."""
    made = Terminal(argv, env, columns, lines, cwd)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait(PATIENCE_S)
        os.close(made.master)
