r"""Text of users as a person may safely see it: on one line, with nothing in it that a terminal obeys or hides.

What is not visible is written as Python and JSON write it: ``\x1b`` (control characters, C1, no-break spaces),
``\u202e`` (direction marks, zero-width characters, line separators), ``\udce9`` (a byte that is not UTF-8, as
``os.fsdecode`` keeps it), ``\U000e0001``. In a field (``printable``) a backslash that would read as such an escape is
doubled, so that no two texts look the same; other backslashes stay as typed. Escape once, where text is shown to
people: JSON keeps the text.

Letters of every script stay. Widths are those of terminals: East Asian wide characters take two columns, combining
marks none. Linear in the text; ASCII without backslashes costs two scans in C.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: printable according to Python, yet shown as nothing or as a blank: fillers, joiners, variation selectors
_BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
_BLANK.update(range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
#: combining marks that one letter may carry; more of them cover the lines around
_MARKS = 3
#: a run of backslashes and what they would be read with: an escape, or the next character
_BACKSLASHES = r"(?s)(\\+)(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^\\]|$)"


class _Shown(dict[int, "str | int"]):
    """Code point -> what stands for it, filled as characters are met (a table for ``str.translate``)."""

    def __missing__(self, code: int) -> str | int:
        """The code point itself where it may be seen."""
        char = chr(code)
        self[code] = code if char.isprintable() and code not in _BLANK else escaped(char)
        return self[code]


class _Widths(dict[str, int]):
    """Character -> columns that it takes."""

    def __missing__(self, char: str) -> int:
        """0 for combining marks, 2 for wide characters, else 1."""
        import unicodedata

        mark = unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff"
        self[char] = 0 if mark else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        return self[char]


_SHOWN, _WIDTHS = _Shown(), _Widths()


def escaped(char: str) -> str:
    r"""``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """A sentence of ours that may quote foreign text; what is visible already stays, so twice does no harm."""
    if text.isascii():
        return text if text.isprintable() else text.translate(_SHOWN)
    return _few_marks(text.translate(_SHOWN))


def printable(text: str) -> str:
    """A field: as ``visible``, and no two texts give the same."""
    if "\\" in text:
        text = re.sub(_BACKSLASHES, _doubled, text)
    return visible(text)


def _doubled(match: re.Match[str]) -> str:
    """Backslashes before an escape, or before what is going to be one, doubled."""
    run, after = match[1], match[2]
    return (2 * run if len(after) > 1 or visible(after) != after else run) + after


def _few_marks(text: str) -> str:
    """With combining marks that no letter carries, or that come in heaps, escaped."""
    if all(map(_WIDTHS.__getitem__, text)):
        return text
    found, marks = [], _MARKS  # the first of a text would be carried by what stands before it
    for char in text:
        marks = 0 if _WIDTHS[char] else marks + 1
        found.append(escaped(char) if marks > _MARKS else char)
    return "".join(found)


def width(text: str) -> int:
    """Columns that a visible text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


def cut(text: str, columns: int) -> str:
    """The beginning of a visible text that fits into so many columns."""
    if text.isascii() or 2 * len(text) <= columns:
        return text[:columns]
    left = columns
    for at, char in enumerate(text):
        left -= _WIDTHS[char]
        if left < 0:
            return text[:at]
    return text


def padded(text: str, columns: int, right: bool = False) -> str:
    """A visible text with blanks up to so many columns, before it where it is aligned to the right."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def shown_record(value: Any) -> Any:
    """A record (of dicts, lists and plain values) with every text in it as a field."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {shown_record(key): shown_record(each) for key, each in value.items()}
    return [shown_record(each) for each in value] if isinstance(value, list | tuple) else value
