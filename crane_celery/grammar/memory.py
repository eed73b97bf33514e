"""Amounts of memory, in bytes.

A number with an optional fraction and one of K M G T (factors of 1024) or B (bytes), in either case; a bare number is
MB (CraneSched). A B behind one of the letters changes nothing: ``16GB``, ``64Gb``.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import MAX_NUMBER, quote

_SIZE = r"(?a)(\d{1,20})(?:\.(\d{0,20}))?(?:([KMGT])B?|(B?))"
_FACTORS = {"B": 1, "K": 1 << 10, "M": 1 << 20, "": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MB = 1 << 20


def parse_memory(text: str) -> int:
    """Bytes, a fraction of one rounded down; InputError when it is no size or 8 EiB and more."""
    match = re.fullmatch(_SIZE, text.upper()) if text.isascii() else None
    if not match:
        raise InputError(
            f"bad memory size {quote(text)}: write a number with one of K M G T or nothing (MB), such as 1G"
        )
    digits, fraction, unit = match[1], match[2] or "", match[3] or match[4]
    size = int(digits + fraction) * _FACTORS[unit] // int("1" + "0" * len(fraction))
    if size > MAX_NUMBER:
        raise InputError(f"memory size {quote(text)} is beyond any machine: write a smaller one, such as 4T")
    return size


def format_size(size: int, *, up: bool = False) -> str:
    """A size in a sentence: ``512 bytes``, ``128K``, ``4096M``, rounded down (``up``: what exceeds a limit, up)."""
    for unit, name in ((_MB, "M"), (1 << 10, "K")):
        if size >= 10 * unit or (size and size % unit == 0):
            return f"{-(-size // unit) if up else size // unit}{name}"
    return f"{size} bytes"


def format_memory(size: int) -> str:
    """Whole MB such as ``4096M``, rounded down but never from something to nothing; ``0`` for none."""
    return f"{max(size // _MB, 1)}M" if size else "0"
