"""Frames between agent, shepherd, spawner and crun: 4 bytes of length, JSON in ASCII, descriptors beside them.

Descriptors travel with the first byte of the frame that speaks of them (``fds``: how many), so they are there when the
frame is complete. Standard library only: the shepherd and the spawners import this.
"""

import array
import contextlib
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from crane_celery import trust
from crane_celery.errors import Untrusted
from crane_celery.wire import framing
from crane_celery.wire.framing import HEADER

Message = dict[str, Any]

_CHUNK = 1 << 18
#: bytes that a frame takes in memory beside its own while it waits to be sent
_OVERHEAD = 256
#: descriptors that the kernel passes on with one message at most (SCM_MAX_FD)
_MAX_FDS = 253
#: descriptors that may lie here unclaimed; and reads of one turn, so that one talker does not keep the others waiting
_MOST_FDS, _MOST_READS, _MOST_FRAMES = 1000, 64, 1 << 20


class Bounds(NamedTuple):
    """Record of what one connection may cost: bytes of a frame, unclaimed descriptors, reads and frames of one turn."""

    frame: int = framing.LIMIT
    fds: int = _MOST_FDS
    reads: int = _MOST_READS
    frames: int = _MOST_FRAMES


#: for connections between daemons
TRUSTED = Bounds()


def encode(message: Message) -> bytes:
    """Return a message as one frame."""
    return framing.frame(framing.encode(message))


def peer_of(sock: socket.socket) -> tuple[int, int, int]:
    """Return (pid, uid, gid) of the other side, as the kernel knows them."""
    pid, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid, gid


class Hangup(Exception):
    """The other side has gone, or speaks nonsense."""


class Link:
    """One connection that never blocks: what cannot be sent now waits in memory."""

    def __init__(
        self, sock: socket.socket, bounds: Bounds = TRUSTED, close_fd: Callable[[int], None] = os.close
    ) -> None:
        """Take over a connected stream socket; ``close_fd`` closes it, and descriptors that came or go with it."""
        sock.setblocking(False)
        self.sock = sock
        self._bounds = bounds
        self._close_fd = close_fd
        #: bytes of the largest frame that was received
        self.largest = 0
        self._in = bytearray()
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._unsent = 0
        self._fds: deque[int] = deque()

    def fileno(self) -> int:
        """The socket's descriptor, for selectors."""
        return self.sock.fileno()

    @property
    def waiting(self) -> bool:
        """Return whether something is still to be sent."""
        return bool(self._out)

    @property
    def unsent(self) -> int:
        """Bytes that are still to be sent; each frame counts with what it costs here besides."""
        return self._unsent

    @property
    def unclaimed(self) -> int:
        """Descriptors that came and that nobody has taken yet."""
        return len(self._fds)

    @property
    def buffered(self) -> int:
        """Bytes that came and are no frame yet, or one that was not looked at."""
        return len(self._in)

    @property
    def ready(self) -> bool:
        """Return whether a whole frame lies here that `receive` has left for another turn."""
        return framing.complete(self._in) >= 0

    def peer(self) -> tuple[int, int, int]:
        """Return (pid, uid, gid) of the other side, as the kernel knows them."""
        return peer_of(self.sock)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a frame, or keep what does not fit; the descriptors are duplicated, the caller keeps its own."""
        kept = tuple(os.dup(fd) for fd in fds)
        data = memoryview(encode(message))
        self._out.append((data, kept))
        self._unsent += len(data) + _OVERHEAD
        if len(self._out) == 1:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it goes. A broken connection is noticed by `receive`."""
        while self._out:
            data, fds = self._out[0]
            try:
                sent = self._push(data, fds)
            except BlockingIOError:
                return
            except OSError:
                self._drop_output()
                return
            for fd in fds:
                self._close_fd(fd)
            self._unsent -= sent
            if sent == len(data):
                self._out.popleft()
                self._unsent -= _OVERHEAD
            else:
                self._out[0] = (data[sent:], ())

    def _push(self, data: memoryview, fds: tuple[int, ...]) -> int:
        if not fds:
            return self.sock.send(data)
        rights = array.array("i", fds)
        return self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    def _drop_output(self) -> None:
        for _, fds in self._out:
            for fd in fds:
                self._close_fd(fd)
        self._out.clear()
        self._unsent = 0

    def receive(self) -> list[Message]:
        """Return frames that are complete now, as many as the bounds allow.

        Raises Hangup when the other side has gone and there is no frame any more, or when it broke a bound.
        """
        gone = not self.ready and self._fill()
        found = list(self._complete())
        if gone and not found:
            raise Hangup
        return found

    def _fill(self) -> bool:
        for _ in range(self._bounds.reads):
            try:
                data, anc, _, _ = self.sock.recvmsg(_CHUNK, socket.CMSG_SPACE(_MAX_FDS * 4), socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return False
            except OSError:
                return True
            for level, kind, payload in anc:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(payload[: len(payload) - len(payload) % 4])
                    self._fds.extend(fds)
            if len(self._fds) > self._bounds.fds:
                raise Hangup("too many descriptors")
            if not data:
                return True
            self._in += data
            if len(data) < _CHUNK and not anc:
                return False
        return False

    def _complete(self) -> Iterator[Message]:
        buffer, at, left = self._in, 0, self._bounds.frames
        try:
            while left and len(buffer) - at >= HEADER:
                start = at + HEADER
                size = framing.length(buffer[at:start])
                if size > self._bounds.frame:
                    raise Hangup(f"a frame of {size} bytes")
                if len(buffer) - start < size:
                    break
                at, left, self.largest = start + size, left - 1, max(self.largest, size)
                yield self._decode(bytes(buffer[start:at]))
        finally:
            del buffer[:at]

    @staticmethod
    def _decode(body: bytes) -> Message:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise Hangup(f"not JSON: {exc}") from exc
        if not isinstance(message, dict):
            raise Hangup("not an object")
        return message

    def take_fds(self, count: int) -> list[int]:
        """The next descriptors that came, in order; the caller owns them. Raises Hangup when there are fewer."""
        if count > len(self._fds):
            raise Hangup("descriptors are missing")
        return [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        """Close the connection and whatever came with it unclaimed."""
        self._drop_output()
        for fd in self._fds:
            with contextlib.suppress(OSError):
                self._close_fd(fd)
        self._fds.clear()
        if (fd := self.sock.detach()) >= 0:
            self._close_fd(fd)


def listen(path: str, mode: int) -> socket.socket:
    """A listening socket at this path, replacing a stale one; ``mode`` is its permission bits."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.bind(path)
    os.chmod(path, mode)
    sock.listen(256)
    sock.setblocking(False)
    return sock


def connect(path: str, close_fd: Callable[[int], None] = os.close) -> Link:
    """A connection to a listening socket of our own user or root. Raises OSError, Untrusted."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
        trust.check_listener(sock, path)
    except (OSError, Untrusted):
        sock.close()
        raise
    return Link(sock, close_fd=close_fd)
