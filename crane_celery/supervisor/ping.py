"""Decide whether a server on a Unix socket answers, asked in its own protocol: the supervisor imports no client
library."""

import socket

from crane_celery import trust
from crane_celery.errors import Untrusted

_ASK = b"PING\r\n"
_TIMEOUT_S = 0.5


def answers(url: str) -> bool:
    """True when it takes commands; False while it is absent, or still loading its data. Only for ``unix://`` URLs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_TIMEOUT_S)
        try:
            sock.connect(url.removeprefix("unix://").partition("?")[0])
            trust.check_listener(sock, url)
            sock.sendall(_ASK)
            return sock.recv(64).startswith(b"+PONG")
        except (OSError, Untrusted):
            return False
