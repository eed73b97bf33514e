"""Attacks at a shepherd's socket, which everybody may open. Standard library only."""

import contextlib
import os
import socket
import struct
import threading
from typing import Any

from tests.faults.attacks.user import User, frame, receive
from tests.fuzz.strange import NUMBERS, TEXTS

#: descriptors of one message at most
_MOST_FDS = 250
_STEP: dict[str, Any] = {
    "op": "step", "job": 0, "argv": ["/bin/true"], "env": {"A": "b"}, "cwd": "/", "umask": 18, "ntasks": 1,
    "cpus": 1.0, "memory": 0, "limit": 5.0, "name": "x", "fds": 3, "io": [0, 1, 2],
}  # fmt: skip
_OTHERS: tuple[Any, ...] = (None, True, [], {}, [[]], [None], {"a": 1}, "abc", 5, ["/bin/sleep", 7])


def wild_steps(me: User) -> None:
    """Steps of one's own job with a value of another kind in some field: NaN, inf, a text for a list, a half
    surrogate; one of them waits for room meanwhile."""
    node = me.rng.randrange(len(me.shepherds))
    job = int(os.environ.get("CRANE_JOB_ID", "0")) or me.running("sleep 20", nodelist=f"n{node + 1}")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        socks = me.many(me.shepherds[node], 30)
        for sock in socks[:2]:
            _say(sock, {**_STEP, "job": job, "argv": ["/bin/sleep", "5"]}, [null] * 3)
        for sock in socks[2:]:
            name = me.rng.choice([*_STEP])
            value = me.rng.choice((*NUMBERS, *TEXTS, *_OTHERS))
            _say(sock, {**_STEP, "job": job, name: value}, [null] * me.rng.choice((3, 3, 0, 1, 200)))
            for op in ("signal", "attach"):
                _say(sock, {"op": op, "sig": value, "job": job, "run": 1, "step": value})
    finally:
        os.close(null)


def descriptors(me: User) -> None:
    """Descriptors with frames that never end."""
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        for sock in me.many(me.shepherd, 20):
            for _ in range(4):
                _send(sock, b"\0\0\1\0"[: me.rng.randrange(1, 5)], [null] * _MOST_FDS)
    finally:
        os.close(null)


def lingering(me: User) -> None:
    """Sockets whose close takes as long as their peer likes, in unfinished frames and with steps that are refused."""
    for sock in me.many(me.shepherd, 4):
        mine, theirs = _slow_to_close()
        message = frame({**_STEP, "job": 1, "fds": 1})
        _send(sock, message if me.rng.random() < 0.5 else message[:9], [theirs.fileno()])
        me.hold([mine])
        # where nobody has taken it, the slow close is ours
        threading.Thread(target=theirs.close, daemon=True).start()


def unfinished(me: User) -> None:
    """Frames that are announced, begun, and left."""
    for sock in me.many(me.shepherd, 300):
        _send(sock, (16 << 20).to_bytes(4, "big") + b"[" * me.rng.randrange(1 << 16))


def deaf(me: User) -> None:
    """Questions without end, whose answers are never read."""
    for sock in me.many(me.shepherd, 4):
        sock.settimeout(1.0)
        sent = 0
        while sent < 40 and _send(sock, frame({"op": "ping"}) * 500):
            sent += 1


def _slow_to_close() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection; closing the second one waits until the first has read everything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        mine, _ = listener.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    theirs.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            theirs.send(b"x" * 65536)
    return mine, theirs


def _say(sock: socket.socket, message: dict[str, Any], fds: list[int] | None = None) -> None:
    """Send a message, and hear the first word of the answer where there is one at once."""
    _send(sock, frame(message), fds or [])
    sock.settimeout(0.2)
    with contextlib.suppress(OSError, EOFError, ValueError):
        receive(sock)
    sock.settimeout(10.0)


def _send(sock: socket.socket, data: bytes, fds: list[int] | None = None) -> bool:
    """Send; False for who is hung up on, or not read."""
    try:
        if fds:
            socket.send_fds(sock, [data], fds)
        else:
            sock.sendall(data)
    except OSError:
        return False
    return True


ATTACKS = (wild_steps, descriptors, lingering, unfinished, deaf)
