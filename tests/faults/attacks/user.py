"""One user who attacks: a seed, the sockets of a cluster, a folder, and what is held until later.

Standard library only: it runs inside the virtual machine, too.

Commands and the gateway's own client are not used here: attacks say what no command would.
"""

import contextlib
import json
import os
import random
import select
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

#: seconds for an answer, and for a job to begin
_ANSWER_S, _BEGIN_S = 10.0, 30.0
#: batches of connections that stay open at once
_HELD = 3


class User:
    """Record of who attacks, as the process that does it."""

    def __init__(self, seed: str, gateways: Sequence[str], shepherds: Sequence[str], folder: str) -> None:
        """``gateways``, ``shepherds``: paths of their sockets; ``folder``: one's own."""
        self.rng = random.Random(seed)
        self.gateways, self.shepherds, self.folder = gateways, shepherds, Path(folder)
        self._held: deque[list[socket.socket]] = deque()

    # -- connections

    @property
    def gateway(self) -> str:
        """The path of some gateway's socket."""
        return self.rng.choice(self.gateways)

    @property
    def shepherd(self) -> str:
        """The path of some shepherd's socket."""
        return self.rng.choice(self.shepherds)

    def connect(self, path: str) -> socket.socket:
        """A connection whose calls end within seconds. Raises OSError."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(_ANSWER_S)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return sock

    def many(self, path: str, count: int) -> list[socket.socket]:
        """Open this many connections, or as many as are let in; they are held while others come."""
        made = list(self._connections(path, count))
        self.hold(made)
        return made

    def _connections(self, path: str, count: int) -> Iterator[socket.socket]:
        with contextlib.suppress(OSError):
            for _ in range(count):
                yield self.connect(path)

    def hold(self, socks: Iterable[socket.socket]) -> None:
        """Keep these open for a while; the oldest batch is closed."""
        self._held.append(list(socks))
        while len(self._held) > _HELD:
            for sock in self._held.popleft():
                sock.close()

    # -- requests

    def ask(self, verb: str, args: object, path: str = "") -> dict[str, Any]:
        """The last frame of a gateway; {} where none came in time."""
        try:
            with self.connect(path or self.gateway) as sock:
                sock.sendall(frame({"v": 1, "verb": verb, "args": args}))
                return receive(sock)
        except (OSError, EOFError):
            return {}

    def submit(self, *jobs: dict[str, Any]) -> list[int]:
        """The ids; none where they were refused."""
        value = self.ask("submit", {"jobs": list(jobs)}).get("value")
        return list(value["ids"]) if isinstance(value, dict) else []

    def job(self, script: str, **options: object) -> dict[str, Any]:
        """A job in the form of a submission."""
        env = {"PATH": os.defpath}
        usual = {"time": "1", "output": "/dev/null", "mem": "64M"}
        return {
            "options": {**usual, **options}, "script": f"#!/bin/sh\n{script}\n", "argv": [], "env": env,
            "cwd": str(self.folder), "tz": "UTC", "umask": 0o22, "host": "h", "where": {}, "items": [],
        }  # fmt: skip

    def running(self, script: str, **options: object) -> int:
        """Submit, and wait until the script runs; its id, 0 where that took too long."""
        folder = tempfile.mkdtemp(dir=self.folder)
        fifo = f"{folder}/began"
        os.mkfifo(fifo)
        with Path(fifo).open("r+b", buffering=0) as word:
            ids = self.submit(self.job(f"echo > {fifo}\n{script}", **options))
            ready = ids and select.select([word], [], [], _BEGIN_S)[0]
        return ids[0] if ready else 0


def frame(value: object) -> bytes:
    """A frame of either protocol."""
    body = json.dumps(value).encode("ascii")
    return len(body).to_bytes(4, "big") + body


def receive(sock: socket.socket) -> dict[str, Any]:
    """The next frame. Raises EOFError, OSError."""
    until = time.monotonic() + _ANSWER_S

    def exactly(size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            chunk = sock.recv(size - len(found))
            if not chunk or time.monotonic() > until:
                raise EOFError
            found += chunk
        return bytes(found)

    found: dict[str, Any] = json.loads(exactly(int.from_bytes(exactly(4), "big")))
    return found
