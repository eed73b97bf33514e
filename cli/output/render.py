"""Formats of tables, and writing: escaped lines, and JSON. The default columns of a listing are just a default format.

The language is grammar.format. What stands between two specifiers is printed as it is; where it is not just blanks
(``%j=%t``), cells without a width are not padded, so that scripts can split. Specifiers that touch are separated by one
blank (reference/cranesched.md section 0.5).
"""

from __future__ import annotations

import re
import sys

from crane_celery.grammar import format as grammar
from crane_celery.grammar import printable as printables
from crane_celery.grammar.printable import printable, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: characters after which a cell of a default table is cut
CUT = 30


class Column(NamedTuple):
    """One thing that a listing can show."""

    #: the header, in upper case
    header: str
    #: the cell of a row
    cell: Callable[[Mapping[str, Any]], str]
    #: the row's keys that the cell is made of, where a table is made by columns
    keys: tuple[str, ...] = ()
    #: never cut: an id in part names something else
    whole: bool = False


def by_header(columns: Mapping[str, Column]) -> dict[str, Column]:
    """And by their headers: ``%TimeLimit`` beside ``%l``."""
    return {**{each.header: each for each in columns.values() if each.header.isalpha()}, **columns}


class Field(NamedTuple):
    """One piece of a parsed format: a column, or literal text when ``column`` is None."""

    column: Column | None
    text: str = ""
    width: int = 0
    right: bool = False
    #: without a width: whether to pad to the widest cell
    pad: bool = True


def parse_format(text: str, columns: Mapping[str, Column], *, dot_right: bool = True) -> list[Field]:
    """The pieces of a format string. Raises FormatError (exit 5) for an unknown name, or when there is none at all."""
    fields: list[Field] = []
    for part in grammar.parse_format(text, columns, dot_right=dot_right):
        if isinstance(part, grammar.Literal):
            fields.append(Field(None, _literal(part.text)))
            continue
        if fields and fields[-1].column:
            fields.append(Field(None, " "))
        fields.append(Field(columns[part.name], "", part.width, part.right))
    return [_padding(fields, number) for number in range(len(fields))]


def _literal(text: str) -> str:
    """Return what a caller wants between columns; tabs and line breaks are meant."""
    return re.sub(r"[^\t\n]+", lambda piece: visible(piece[0]), text)


def _padding(fields: list[Field], number: int) -> Field:
    """A column beside literal text that is not blank is not padded."""
    field = fields[number]
    beside = fields[max(0, number - 1) : number + 2]
    return field._replace(pad=not any(each.column is None and each.text.strip() for each in beside))


def clean(cell: str, cut: int, width: int) -> str:
    """A cell on one line and safe to show, in what the caller's terminal can show; without a ``width`` of its own cut
    after ``cut`` columns (0: not)."""
    cell = encodable(printable(cell))
    return f"{printables.cut(cell, cut)}..." if cut and not width and printables.width(cell) > cut else cell


def encodable(text: str) -> str:
    """The text with what standard output's encoding lacks escaped, so that columns stay aligned."""
    if text.isascii() or (encoding := (sys.stdout.encoding or "utf-8").lower()) in ("utf-8", "utf8"):
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_lines(texts: Iterable[str]) -> None:
    """Write lines, whose cells are escaped, in one go: a write per line would cost a long listing most of its time."""
    text = "\n".join(texts)
    if text:
        sys.stdout.write(text + "\n")


def print_json(value: object, *, blanks: bool = False) -> None:
    """One line of JSON (ASCII without control characters: any terminal and any parser takes it); ``blanks``: some
    between its words, as a submission has always had them."""
    import json

    sys.stdout.write(
        json.dumps(value, separators=(", ", ": ") if blanks else (",", ":")).replace("\x7f", "\\u007f") + "\n"
    )
