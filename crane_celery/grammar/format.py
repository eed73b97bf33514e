"""Output formats: ``%[.][width]name`` and literal text, as ``-o`` of the listing commands takes them.

``%5j`` is left aligned, ``%.5j`` right aligned, without a width a column is as wide as its content. A width pads AND
cuts. A name is all letters that follow; one letter is matched exactly, longer names in any case. Literal text between
specifiers is a column of its own; ``%%`` is a percent sign in it. With ``dot_right=False`` the dot is only part of the
notation and everything is left aligned (CraneSched's older form for steps and cinfo).
"""

from __future__ import annotations

import re

from crane_celery.errors import FormatError
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar.printable import cut, padded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: no column is wider
MAX_WIDTH = 10_000
_TOKEN = r"(?a)%%|%(?P<dot>\.?)(?P<width>\d*)(?P<name>[A-Za-z]*)|[^%]+"


class Column(NamedTuple):
    """One field of a listing."""

    #: a key of the names that were offered
    name: str
    #: columns of a terminal; 0 = as wide as the content
    width: int
    #: right aligned
    right: bool


class Literal(NamedTuple):
    """Text that is the same on every line."""

    text: str


def parse_format(text: str, names: Iterable[str], *, dot_right: bool = True) -> tuple[Column | Literal, ...]:
    """The columns of a format, their names as spelled in ``names``; FormatError for an unknown name or no ``%``."""
    if "%" not in text:
        raise FormatError(f"bad format {quote(text)}: name at least one column, such as %j")
    exact = {name: name for name in names}
    folded = {name.lower(): name for name in exact if len(name) > 1}
    found: list[Column | Literal] = []
    for match in re.finditer(_TOKEN, text):
        if match["name"] is None:
            part = "%" if match[0] == "%%" else match[0]
            if found and isinstance(found[-1], Literal):
                part = found.pop()[0] + part
            found.append(Literal(part))
            continue
        name = exact.get(match["name"]) or folded.get(match["name"].lower() if len(match["name"]) > 1 else "")
        width = whole(match["width"] or "0", MAX_WIDTH)
        if name is None or width is None:
            raise _bad(match[0], match["name"], text, exact)
        found.append(Column(name, width, bool(match["dot"]) and dot_right))
    return tuple(found)


def fit(value: str, width: int, right: bool) -> str:
    """The value padded and cut to exactly ``width`` columns of a terminal; as it is when the width is 0."""
    return padded(cut(value, width), width, right) if width else value


def _bad(token: str, name: str, text: str, names: Iterable[str]) -> FormatError:
    """The error of a specifier that names no column, or is far too wide."""
    from crane_celery.grammar.names import did_you_mean

    known = sorted(names)
    if name.lower() in [each.lower() for each in known if len(each) > 1] or name in known:
        return FormatError(f"bad width in {quote(token)}: columns are up to {MAX_WIDTH} characters wide")
    hint = did_you_mean(name, known) or ": columns are " + " ".join(f"%{each}" for each in known)
    return FormatError(f"unknown column {quote(token)} in format {quote(text)}{hint}")
