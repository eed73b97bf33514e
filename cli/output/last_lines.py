"""The last lines that a job wrote, for ``ccontrol explain``: opened by and as the caller, and made safe to show."""

from __future__ import annotations

import os

from crane_celery import outputs
from crane_celery.errors import CraneError
from crane_celery.grammar.printable import printable, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

#: lines that are shown, and bytes that are read for them, at most
LINES, BYTES = 5, 8192
#: characters of a line
_LONG = 400


def last_lines(row: Mapping[str, Any], error: bool = False) -> list[str]:
    """The last lines of a row's output, as written but for bytes that are not UTF-8. Raises NotFound, Refused."""
    fd = outputs.opened(row, error)
    try:
        size = os.fstat(fd).st_size
        begin = max(size - BYTES, 0)
        text = os.pread(fd, BYTES, begin).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    finally:
        os.close(fd)
    first, *rest = text.split("\n")
    whole = [line.removesuffix("\r") for line in rest if line.strip()]
    if first.strip() and not (begin and whole):  # of a line that begins before what was read only the end is known
        whole.insert(0, first.removesuffix("\r"))
    return whole[-LINES:]


def shown(row: Mapping[str, Any]) -> Iterator[str]:
    """The path of a row's output and its last lines; of errors, too, where they lie elsewhere."""
    if not outputs.began(row):
        return
    for error in (False, True):
        path = outputs.path_of(row, error)
        if error and path == outputs.path_of(row):
            return
        name = "Errors" if error else "Output"
        try:
            lines = last_lines(row, error)
        except CraneError as fault:
            yield f"{name}: {printable(path)} (not shown: {visible(fault.message)})"
            continue
        yield f"{name}: {printable(path)}" + ("" if lines else ", empty")
        yield from (f"  | {visible(line if len(line) <= _LONG else f'...{line[-_LONG:]}')}" for line in lines)


def with_lines(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the last lines themselves, for ``--json``; None where they cannot be read here."""
    found: dict[str, Any] = dict(row)
    for key, error in (("last_lines", False), ("last_error_lines", True)):
        try:
            found[key] = last_lines(row, error)
        except CraneError:
            found[key] = None
    return found
