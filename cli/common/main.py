"""Define what all commands share at their outermost edge: output, errors that become a line and an exit code, colours.

A command is ``main() -> int``::

    def main(argv: list[str] | None = None) -> int:
        return run("cinfo", body, argv)

where ``body(argv)`` returns the exit code or raises a CraneError. It writes by ``say``, ``complain`` or what
``cli.output.render`` has, never by ``print``: these keep foreign text from being obeyed by a terminal (tests/arch
looks).
"""

from __future__ import annotations

import sys

from crane_celery.errors import CraneError, InputError, SystemFault
from crane_celery.grammar.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_INTERRUPTED = 130
_RED = "31"


def run(prog: str, body: Callable[[list[str]], int], argv: list[str] | None = None) -> int:
    """Run a command: its exit code, or the one of the error it raised (said in one line on stderr)."""
    _open_streams()
    try:
        code = _run(prog, body, sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _mute()
        return 0
    except OSError as error:
        return _fault(prog, error)


def _run(prog: str, body: Callable[[list[str]], int], argv: list[str]) -> int:
    """As ``run``, while writing works."""
    try:
        return body(argv)
    except CraneError as error:
        sys.stdout.flush()
        complain(f"{prog}: error: {error.message}")
        if isinstance(error, InputError):
            complain(f"try '{prog} --help'", "")
        return error.status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SystemExit as ended:  # --help and --version end so
        sys.stdout.flush()
        if isinstance(ended.code, int) or ended.code is None:
            return ended.code or 0
        raise


def _open_streams() -> None:
    """No character that the caller's encoding lacks ends a command: it is shown as its escape. Closed streams are
    opened on /dev/null."""
    from io import FileIO, TextIOWrapper

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, TextIOWrapper(FileIO("/dev/null", "w")))
        elif getattr(stream, "errors", "") != "backslashreplace" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(*lines: str) -> None:
    """Lines on stdout, each of them one line whatever is in it."""
    for line in lines:
        print(visible(line))


def complain(text: str, colour: str = _RED, end: str = "\n") -> None:
    """One line on stderr, in colour when that is a terminal."""
    text = visible(text)
    try:
        print(paint(text, colour, sys.stderr) if colour else text, end=end, file=sys.stderr, flush=True)
    except OSError:  # nobody reads it: the exit code says enough
        _mute()


def paint(text: str, colour: str, stream: TextIO) -> str:
    """The text in an ANSI colour (``31`` red, ``32`` green, ``1`` bold) on a terminal, else unchanged.

    ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb`` switch colours off.
    """
    import os

    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{colour}m{text}\033[0m"


def _fault(prog: str, error: OSError) -> int:
    """Say what the host refused, such as a full disk behind standard output, if that can be said at all."""
    what = f" {error.filename!r}:" if error.filename else ""
    complain(f"{prog}: error:{what} {error.strerror or error}")
    _mute()
    return SystemFault.status


def _mute() -> None:
    """The reader of our output has gone (``cqueue | head``), or it takes no more: nothing may fail on it any more
    while the process ends."""
    import os

    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(null, stream.fileno())
    os.close(null)
