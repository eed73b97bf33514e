"""Bodies of submissions as a server holds them: pieces that many have in common are stored once. Pure.

A body (model.body) is cut before and after its environment and before its items. A piece of at least SHARED bytes is
stored under the SHA-256 of its content, with the number of bodies that have it (lua/lib/shared.lua); the record of a
body names these and holds the others itself:

    \\x01 s<64 hex digits> o<length> ... \\n <the bytes of the o pieces, one after another>

A record that does not begin with \\x01 is a body as it is (written before bodies were shared).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from crane_celery.errors import SystemFault

_MARK = b"\x01"
#: bytes from which a piece is shared: a shared piece costs the server about 300 bytes more, and a node another read
SHARED = 1024
#: where model.body's JSON has the environment: no text in it can hold these, since quotes in texts are escaped
_BEFORE, _AFTER = b'"env":{', b'},"umask":'


class Packed(NamedTuple):
    """The record of a body, and its shared pieces by digest (hex)."""

    record: bytes
    shared: dict[str, bytes]


class Pieces:
    """Shared pieces read lately: at most so many bytes, then begun anew. For several threads."""

    def __init__(self, most: int = 16 << 20) -> None:
        """Begin with none."""
        self._most, self._size = most, 0
        self._known: dict[str, bytes] = {}

    def get(self, digest: str) -> bytes | None:
        """Return a piece if it was read lately."""
        return self._known.get(digest)

    def add(self, digest: str, piece: bytes) -> None:
        """Note a piece that was read."""
        if self._size + len(piece) > self._most:
            self._known, self._size = {}, 0
        self._known[digest] = piece
        self._size += len(piece)


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield the pieces of a body in order: what is before the environment, it, what is after it, the items."""
    head = body.find(b"\n")
    head = len(body) if head < 0 else head
    begin = body.find(_BEFORE, 0, head)
    end = body.find(_AFTER, begin, head) if begin >= 0 else -1
    cuts = [0, begin + len(_BEFORE) - 1, end + 1, head, len(body)] if end >= 0 else [0, head, len(body)]
    for low, high in pairwise(cuts):
        if low < high:
            yield body[low:high]


def pack(body: bytes) -> Packed:
    """Return a body as it is stored. Costs a SHA-256 of each large piece."""
    header: list[str] = []
    own: list[bytes] = []
    shared: dict[str, bytes] = {}
    for piece in pieces(body):
        if len(piece) >= SHARED:
            digest = hashlib.sha256(piece).hexdigest()
            shared[digest] = piece
            header.append(f"s{digest}")
        else:
            header.append(f"o{len(piece)}")
            own.append(piece)
    if not shared and body[:1] != _MARK:
        return Packed(body, {})
    return Packed(b"".join((_MARK, " ".join(header).encode(), b"\n", *own)), shared)


def references(record: bytes) -> list[str]:
    """Return the digests of the shared pieces that a record names, in order."""
    return [word[1:] for word in _header(record) if word[:1] == "s"]


def unpack(record: bytes, shared: Mapping[str, bytes]) -> bytes:
    """Return the body of a record. Raises KeyError for a shared piece that is not given, SystemFault if damaged."""
    if record[:1] != _MARK:
        return record
    words = _header(record)
    at, parts = record.index(b"\n") + 1, []
    for word in words:
        if word[:1] == "s":
            parts.append(shared[word[1:]])
        else:
            size = _length(word)
            parts.append(record[at : at + size])
            at += size
    return b"".join(parts)


def _header(record: bytes) -> list[str]:
    """Return the words of a record's header; none for a body as it is."""
    if record[:1] != _MARK:
        return []
    line, newline, _ = record[1:].partition(b"\n")
    if not newline:
        raise SystemFault("the record of a submission's body is damaged: its header has no end")
    return line.decode("ascii", "replace").split()


def _length(word: str) -> int:
    if word[:1] != "o" or not word[1:].isascii() or not word[1:].isdigit() or len(word) > 12:
        raise SystemFault(f"the record of a submission's body is damaged: {word[:20]!a} names no piece")
    return int(word[1:])
