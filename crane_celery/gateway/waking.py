"""Reading from a socket that no signal can miss. Standard library only.

A signal that arrives after Python last looked for one, and before a blocking read has begun, is noticed only when the
read returns: Ctrl-C would do nothing until the gateway sends something. So the read waits for the socket and for the
interpreter's wakeup descriptor, which every signal makes readable.
"""

from __future__ import annotations

import os
import select
import signal
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket as socket
    from collections.abc import Callable


class Waking:
    """Use as a context manager; outside the main thread, which alone gets signals, it only reads."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._ends: tuple[int, int] | None = None
        self._before = -1

    def __enter__(self) -> Waking:
        """Have signals written to a pipe."""
        if threading.current_thread() is threading.main_thread():
            self._ends = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._before = signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)
        return self

    def __exit__(self, *_exc: object) -> None:
        """Undo it."""
        if self._ends is not None:
            signal.set_wakeup_fd(self._before)
            for end in self._ends:
                os.close(end)
            self._ends = None

    def reader(self, sock: socket.socket, patience_s: float) -> Callable[[int], bytes]:
        """Return ``recv`` for one socket, as a function of the size."""
        return lambda size: self.recv(sock, size, patience_s)

    def recv(self, sock: socket.socket, size: int, patience_s: float) -> bytes:
        """Return what comes, at most ``size`` bytes. Raises TimeoutError, and what the handlers of signals raise."""
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        if self._ends is not None:
            poll.register(self._ends[0], select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll(patience_s * 1000)]
            if sock.fileno() in ready:
                return sock.recv(size)
            if not ready:
                raise TimeoutError("timed out")
            if self._ends is not None:
                os.read(self._ends[0], 4096)
