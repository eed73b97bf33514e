"""Logs of daemons: one record is one line, and no text that came from a user forges another or reaches a terminal.

``install`` once at the start of a process covers every logger and handler in it, Celery's too.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

from crane_celery.errors import CraneError
from crane_celery.grammar.printable import visible


class OneLine(logging.LogRecord):
    """A record whose message is one line. The lines of a traceback below it are indented: no record begins so.

    A foreseen error (CraneError) has none, but its message behind that of the record.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As LogRecord; a traceback becomes text at once."""
        super().__init__(*args, **kwargs)
        self.foreseen = ""
        error = self.exc_info[1] if self.exc_info else None
        if isinstance(error, CraneError):  # it says what is wrong and what to do: where it was raised tells nobody more
            self.exc_info, self.foreseen = None, f": {error.message}"
        elif error is not None:
            self.exc_text = indented(error)

    def getMessage(self) -> str:
        """The message, made visible."""
        return visible(super().getMessage() + self.foreseen)


def indented(error: BaseException) -> str:
    """A traceback with each of its lines made visible and indented."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(f"  {visible(line)}" for line in lines)


def install() -> None:
    """Make records of all loggers so, and what is said of an exception that nobody caught."""
    logging.setLogRecordFactory(OneLine)
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write it to stderr, a foreseen one as one line; Ctrl-C as usual."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    if isinstance(error, CraneError):
        sys.stderr.write(f"error: {visible(error.message)}\n")
        return
    sys.stderr.write(f"{kind.__name__}\n{indented(error)}\n")
