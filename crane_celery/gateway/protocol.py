"""Frames of the gateway protocol: 4 bytes of length, big-endian, then JSON in ASCII.

Both ends use this module; it imports nothing but json, since commands pay for every import. Lone surrogates in a text
stand for bytes that are no UTF-8, as ``os.fsdecode`` makes them, and survive the trip.
"""

from __future__ import annotations

import json

from crane_celery.errors import BY_CODE, CraneError, InputError
from crane_celery.grammar.memory import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = 1
#: bytes of JSON in one frame
MAX_FRAME = 64 << 20
HEADER = 4
#: verbs that change something: where no answer comes it is not known whether they did
CHANGING = frozenset(
    ("submit", "retry", "cancel", "hold", "release", "suspend", "resume", "requeue", "requeuehold", "update", "top")
) | {"update_node"}
UNKNOWN = "it is not known whether this was done, or will be"
_CHUNK = 1 << 20


def pack(value: object) -> bytes:
    """A value as one frame; InputError when it is larger than a frame may be."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii")
    if len(body) > MAX_FRAME:
        raise InputError(
            f"the message has {format_size(len(body), up=True)}, the limit is {format_size(MAX_FRAME)}:"
            " send less at once"
        )
    return len(body).to_bytes(HEADER, "big") + body


def read_frame(recv: Callable[[int], bytes]) -> bytes | None:
    """Return the body of the next frame, None at a clean end. ``recv`` is a socket's.

    Raises EOFError when it breaks off, InputError for a length over the limit, before anything of that is allocated.
    """
    length = read_length(recv)
    return None if length is None else read_body(recv, length)


def read_length(recv: Callable[[int], bytes]) -> int | None:
    """Return the length of the next frame's body, None at a clean end. Raises EOFError, InputError."""
    head = _read(recv, HEADER)
    if not head:
        return None
    if len(head) < HEADER:
        raise EOFError("the connection broke off inside a frame")
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise InputError(
            f"a frame of {format_size(length, up=True)} was announced, the limit is {format_size(MAX_FRAME)}"
        )
    return length


def read_body(recv: Callable[[int], bytes], length: int) -> bytes:
    """Return a frame's body. Raises EOFError when it breaks off."""
    body = _read(recv, length)
    if len(body) < length:
        raise EOFError("the connection broke off inside a frame")
    return bytes(body)


def _read(recv: Callable[[int], bytes], length: int) -> bytearray:
    """Up to ``length`` bytes, fewer only at the end of the stream. Memory grows with what arrives."""
    got = bytearray()
    while len(got) < length:
        chunk = recv(min(length - len(got), _CHUNK))
        if not chunk:
            break
        got += chunk
    return got


def answer(value: object) -> dict[str, object]:
    """The last frame of a request that went well."""
    return {"ok": True, "value": value}


def refusal(error: CraneError) -> dict[str, object]:
    """The last frame of a request that did not."""
    return {"ok": False, "code": error.code, "message": error.message}


def result(reply: Any) -> Any:
    """The value in a last frame; raises the error that the other end sent, as its own class."""
    if reply.get("ok"):
        return reply.get("value")
    raise BY_CODE.get(str(reply.get("code")), CraneError)(str(reply.get("message", "the gateway refused")))
