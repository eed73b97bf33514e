"""Asking the shepherds of a host to end their steps and themselves, over their own sockets."""

import select
import socket
import time
from collections.abc import Iterable

from crane_celery.gateway.protocol import pack

_STOP = {"verb": "stop"}


def stop(folders: Iterable[str], timeout_s: float) -> None:
    """Ask the shepherd of each node's run directory, all at once; wait until their connections end. Never raises."""
    deadline = time.monotonic() + timeout_s
    asked = [sock for folder in folders if (sock := _ask(f"{folder}/shepherd.sock"))]
    poll = select.poll()
    left = {sock.fileno(): sock for sock in asked}
    for fd in left:
        poll.register(fd, select.POLLIN)
    while left and (rest := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(rest * 1000):
            if _ended(left[fd]):
                poll.unregister(fd)
                left.pop(fd).close()
    for sock in left.values():
        sock.close()


def _ask(path: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(1.0)
    try:
        sock.connect(path)
        sock.sendall(pack(_STOP))
        return sock
    except OSError:
        sock.close()
        return None


def _ended(sock: socket.socket) -> bool:
    """Whether the other side has closed; what it says before that does not matter here."""
    try:
        return not sock.recv(65536)
    except OSError:
        return True
