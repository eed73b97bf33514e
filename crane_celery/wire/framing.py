"""Frames, the same everywhere: 4 bytes of length, big-endian, then JSON in ASCII.

Imports nothing but json, since commands pay for every import. Lone surrogates in a text stand for bytes that are no
UTF-8, as ``os.fsdecode`` makes them, and survive the trip.
"""

from __future__ import annotations

import json

#: bytes of the length
HEADER = 4
#: bytes of JSON in one frame
LIMIT = 64 << 20

_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(value: object) -> bytes:
    """Return a value as the body of a frame. Raises TypeError for what JSON does not know, RecursionError."""
    return _ENCODE(value).encode("ascii")


def frame(body: bytes) -> bytes:
    """Return a body with its length before it."""
    return len(body).to_bytes(HEADER, "big") + body


def length(head: bytes | bytearray) -> int:
    """Return the length of the body that follows these four bytes."""
    return int.from_bytes(head, "big")


def complete(buffer: bytes | bytearray, at: int = 0) -> int:
    """Return where the frame at a place of a buffer ends, -1 while it is not whole."""
    start = at + HEADER
    if len(buffer) < start:
        return -1
    end = start + length(buffer[at:start])
    return end if end <= len(buffer) else -1
