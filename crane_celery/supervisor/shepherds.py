"""Asking the shepherds of a host to end what runs there, over their own sockets, in the worker's place.

Each run gets TERM, and KILL when half of the time is over. The shepherd journals every end before it tells, so nothing
has to be acknowledged here: the next worker hears it all and reports it.
"""

import json
import select
import socket
import time
from collections.abc import Iterable
from typing import Any

from crane_celery import trust
from crane_celery.errors import Untrusted
from crane_celery.wire import framing
from crane_celery.wire.node import RunEnded, readable

_CHUNK = 1 << 16
#: in a kill row: TERM, the job's grace, KILL; it then counts as cancelled
_CANCEL, _KILL = 0, 9


def stop(folders: Iterable[str], timeout_s: float) -> None:
    """End all runs of the nodes with these run directories, all at once; returns when they have ended, or after
    ``timeout_s``. Never raises."""
    began = time.monotonic()
    talks = {talk.fileno: talk for folder in folders if (talk := _Talk.begin(f"{folder}/shepherd.sock"))}
    _hear(talks, began + timeout_s / 2)
    for talk in talks.values():
        talk.kill(_KILL)
    _hear(talks, began + timeout_s)
    for talk in talks.values():
        talk.close()


def _hear(talks: "dict[int, _Talk]", deadline: float) -> None:
    """Until no talk has anything more to wait for; those that are done leave ``talks``."""
    poll = select.poll()
    for fd in talks:
        poll.register(fd, select.POLLIN)
    while talks and (rest := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(rest * 1000):
            if talks[fd].hear():
                poll.unregister(fd)
                talks.pop(fd).close()


def _framed(message: dict[str, Any]) -> bytes:
    return framing.frame(framing.encode(message))


class _Talk:
    """One connection to a shepherd, as its agent."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._runs: set[tuple[int, int]] = set()
        self.fileno = sock.fileno()

    @staticmethod
    def begin(path: str) -> "_Talk | None":
        """Connect and say who we are; None where nobody listens."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(1.0)
        try:
            sock.connect(path)
            trust.check_listener(sock, path)
            sock.sendall(_framed({"op": "agent"}))
        except (OSError, Untrusted):
            sock.close()
            return None
        return _Talk(sock)

    def kill(self, number: int) -> None:
        """Signal every run that has not ended."""
        rows = [[*run, number] for run in sorted(self._runs)]
        try:
            self._sock.sendall(_framed({"op": "kill", "rows": rows}))
        except OSError:
            self._runs.clear()

    def hear(self) -> bool:
        """Take what has come; True when nothing is left to wait for."""
        try:
            piece = self._sock.recv(_CHUNK)
        except OSError:
            return True
        self._buffer += piece
        told = [self._take(message) for message in self._messages()]
        return not piece or (any(told) and not self._runs)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _messages(self) -> list[dict[str, Any]]:
        found = []
        while (end := framing.complete(self._buffer)) >= 0:
            found.append(json.loads(self._buffer[framing.HEADER : end]))
            self._buffer = self._buffer[end:]
        return found

    def _take(self, message: dict[str, Any]) -> bool:
        """The greeting names the runs; reports tell of their ends."""
        if message.get("op") == "hello":
            self._runs = {(job, run) for job, run in message["runs"]}
            self.kill(_CANCEL)
        elif message.get("op") == "reports":
            self._runs -= {(end.id, end.run) for end in readable(message["rows"]) if isinstance(end, RunEnded)}
        return True
