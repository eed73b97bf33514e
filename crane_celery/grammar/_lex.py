"""Define what all grammars share: showing an input in a message, and reading whole numbers.

Numbers are ASCII digits only (``str.isdigit`` accepts other scripts) and bounded, so no text can make a parser build a
number of a million digits, nor run into Python's own limit on converting one.
"""

from __future__ import annotations

#: the largest id or index there is: ids are signed 64-bit, and a set of all of them must still have a ``len``
MAX_NUMBER = 2**63 - 2
_SHOWN = 60


def quote(text: str) -> str:
    """``repr`` of ``text`` for a message, cut in the middle of long inputs so that the message stays one line."""
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 20]}...{shown[-15:]}"


def whole(text: str, ceiling: int = MAX_NUMBER) -> int | None:
    """The value of a string of ASCII digits, or None when it is anything else or above ``ceiling``."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    if len(digits) > 20:
        return None
    number = int(digits or "0")
    return number if number <= ceiling else None


def job_id(text: str) -> int | None:
    """A job id: a whole number from 1 without leading zeros (``00`` is part of a clock time, never an id), or None."""
    return None if text.startswith("0") else whole(text)


def split_outside(text: str, separators: str) -> list[str]:
    """Split at any of ``separators`` outside ``[...]``; unbalanced brackets are left for the item's parser."""
    items, depth, begin = [], 0, 0
    for at, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif depth <= 0 and char in separators:
            items.append(text[begin:at])
            begin = at + 1
    items.append(text[begin:])
    return items
