"""The words of a directive, split as a shell splits them."""

from __future__ import annotations

import re

_WORD = r"""(?a)\s*(?:(?P<end>\#.*|$)|(?P<word>(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+)(?=\s|$))"""
_PIECE = r"""'(?P<raw>[^']*)'|"(?P<soft>(?:[^"\\]|\\.)*)"|\\(?P<one>.)|(?P<plain>[^'"\\]+)"""
_ESCAPE = r"""\\(["\\$`])"""
#: look like blanks, or like nothing, and are neither to a shell nor to us; a lone byte A0 is Latin-1's no-break space
BLANKS = "\u00a0\u00ad\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\udca0"


def split_words(text: str) -> tuple[str, ...] | None:
    """The words of a line as a shell splits them, up to a comment; None when a quote or backslash is left open."""
    words: list[str] = []
    at = 0
    while True:
        match = re.compile(_WORD).match(text, at)
        if not match:
            return None
        if match["end"] is not None:
            return tuple(words)
        words.append("".join(map(_unquoted, re.finditer(_PIECE, match["word"]))))
        at = match.end()


def strange_blank(text: str) -> str:
    """The name of a character outside quotes and comments that only looks like a blank; "" when there is none."""
    at = 0
    while (match := re.compile(_WORD).match(text, at)) and match["end"] is None:
        for piece in re.finditer(_PIECE, match["word"]):
            found = re.search(f"[{BLANKS}]", piece["plain"] or piece["one"] or "")
            if found:
                code = ord(found[0])
                return "a no-break space (U+00A0)" if code in (0xA0, 0xDCA0) else f"the character U+{code:04X}"
        at = match.end()
    return ""


def _unquoted(piece: re.Match[str]) -> str:
    """Return what one quoted or plain piece of a word stands for."""
    if piece["soft"] is not None:
        return re.sub(_ESCAPE, r"\1", piece["soft"])
    return next(text for text in (piece["raw"], piece["one"], piece["plain"]) if text is not None)
