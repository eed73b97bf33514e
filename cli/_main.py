"""What all commands share at their outermost edge: errors become a line and an exit code, help has one look.

A command is ``main() -> int``::

    def main(argv: list[str] | None = None) -> int:
        return run("cinfo", body, argv)

where ``body(argv)`` returns the exit code or raises a CraneError.
"""

from __future__ import annotations

import sys

from crane_celery.errors import CraneError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_INTERRUPTED = 130
_RED = "31"


def run(prog: str, body: Callable[[list[str]], int], argv: list[str] | None = None) -> int:
    """Run a command: its exit code, or the one of the error it raised (said in one line on stderr)."""
    try:
        code = body(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except CraneError as error:
        complain(f"{prog}: error: {error.message}")
        if isinstance(error, InputError):
            complain(f"try '{prog} --help'", "")
        return error.status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _mute()
        return 0


def complain(text: str, colour: str = _RED) -> None:
    """One line on stderr, in colour when that is a terminal."""
    print(paint(text, colour, sys.stderr) if colour else text, file=sys.stderr)


def paint(text: str, colour: str, stream: TextIO) -> str:
    """The text in an ANSI colour (``31`` red, ``32`` green, ``1`` bold) on a terminal, else unchanged.

    ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb`` switch colours off.
    """
    import os

    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{colour}m{text}\033[0m"


def _mute() -> None:
    """The reader of our output has gone (``cqueue | head``): nothing more may fail on it while the process ends."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
