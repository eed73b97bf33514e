"""A proxy before a real server: answers about the time come late, and what was asked for stands in a list."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

from crane_celery.store.scripts import script

_TIME = b"\r\nTIME\r\n"


class Proxy:
    """Listens on a Unix socket for a server on another; each connection has a thread for either way."""

    def __init__(self, path: Path, server: Path, lag_s: float, verbs: tuple[str, ...]) -> None:
        """``lag_s``: how late answers to TIME are; ``verbs``: scripts that are to be seen."""
        self.url = f"unix://{path}?db=0"
        #: in order: ``TIME``, ``BLOCK`` (a read of events that may wait), names of verbs
        self.seen: list[str] = []
        self._server, self._lag_s = server, lag_s
        words = {_TIME: "TIME", b"\r\nBLOCK\r\n": "BLOCK"}
        self._words = words | {script(verb).sha.encode(): verb for verb in verbs}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that stand end with their clients."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            late = threading.Event()
            threading.Thread(target=self._ask, args=(client, server, late), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client, late), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, late: threading.Event) -> None:
        while data := _read(client):
            self.seen += [name for word, name in self._words.items() if word in data]
            if _TIME in data:
                late.set()
            server.sendall(data)
        server.close()

    def _answer(self, server: socket.socket, client: socket.socket, late: threading.Event) -> None:
        while data := _read(server):
            if late.is_set():
                late.clear()
                time.sleep(self._lag_s)  # what is tested: the answer is on its way
            client.sendall(data)
        client.close()


def _read(from_: socket.socket) -> bytes:
    try:
        return from_.recv(1 << 20)
    except OSError:
        return b""
