"""The gateway protocol: requests and answers as frames (crane_celery.wire.framing), their bounds, and errors.

Both ends use this module; it imports next to nothing, since commands pay for every import.
"""

from __future__ import annotations

from crane_celery.errors import BY_CODE, CraneError, InputError
from crane_celery.grammar.memory import format_size
from crane_celery.wire.framing import HEADER, LIMIT, encode, frame, length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = 1
#: bytes of JSON in one frame
MAX_FRAME = LIMIT
#: verbs that change something: where no answer comes it is not known whether they did
CHANGING = frozenset(
    ("submit", "retry", "cancel", "hold", "release", "suspend", "resume", "requeue", "requeuehold", "update", "top")
) | {"update_node"}
UNKNOWN = "it is not known whether this was done, or will be"
_CHUNK = 1 << 20


def pack(value: object) -> bytes:
    """A value as one frame; InputError when it is larger than a frame may be."""
    body = encode(value)
    if len(body) > MAX_FRAME:
        raise InputError(
            f"the message has {format_size(len(body), up=True)}, the limit is {format_size(MAX_FRAME)}:"
            " send less at once"
        )
    return frame(body)


def read_frame(recv: Callable[[int], bytes]) -> bytes | None:
    """Return the body of the next frame, None at a clean end. ``recv`` is a socket's.

    Raises EOFError when it breaks off, InputError for a length over the limit, before anything of that is allocated.
    """
    size = read_length(recv)
    return None if size is None else read_body(recv, size)


def read_length(recv: Callable[[int], bytes]) -> int | None:
    """Return the length of the next frame's body, None at a clean end. Raises EOFError, InputError."""
    head = _read(recv, HEADER)
    if not head:
        return None
    if len(head) < HEADER:
        raise EOFError("the connection broke off inside a frame")
    announced = length(head)
    if announced > MAX_FRAME:
        raise InputError(
            f"a frame of {format_size(announced, up=True)} was announced, the limit is {format_size(MAX_FRAME)}"
        )
    return announced


def read_body(recv: Callable[[int], bytes], size: int) -> bytes:
    """Return a frame's body. Raises EOFError when it breaks off."""
    body = _read(recv, size)
    if len(body) < size:
        raise EOFError("the connection broke off inside a frame")
    return bytes(body)


def _read(recv: Callable[[int], bytes], size: int) -> bytearray:
    """Up to ``size`` bytes, fewer only at the end of the stream. Memory grows with what arrives."""
    got = bytearray()
    while len(got) < size:
        chunk = recv(min(size - len(got), _CHUNK))
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
