"""A real PostgreSQL for tests: Debian's, private, on a Unix socket in a directory of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """Return where ``initdb`` and ``postgres`` are: beside one on PATH, or the newest of Debian's, which are not on
    it."""
    if there := shutil.which("initdb"):
        return Path(there).resolve().parent
    found = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise RuntimeError("no PostgreSQL to test on: apt-get install postgresql")
    return found[-1].parent


class Postgres:
    """One server process over one directory; ``fresh`` gives a new, empty database on it."""

    def __init__(self) -> None:
        """Nothing is started."""
        self.home = Path(tempfile.mkdtemp(prefix="crane-pg-"))  # a socket's path holds 107 bytes at most
        # it refuses to run as root
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[str] | None = None
        self._made = 0

    def start(self) -> Postgres:
        """Start it on a new cluster; returns when it accepts connections."""
        if self._user:
            os.chown(self.home, pwd.getpwnam(self._user).pw_uid, -1)
        data = self.home / "data"
        self._run("initdb", "--no-sync", "--auth=trust", "--username=crane", f"--pgdata={data}")
        # durability as it is in production is not what these tests are about, but its locking and its SQL are
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={self.home}"]
        process = subprocess.Popen(
            [str(binaries() / "postgres"), "-D", str(data), *options],
            **self._as_user(),
            stderr=subprocess.PIPE,
            text=True,
        )
        self._process = process
        log: list[str] = []
        for line in process.stderr or ():
            log.append(line)
            if "ready to accept connections" in line:
                threading.Thread(target=_drain, args=(process,), daemon=True).start()
                return self
        raise RuntimeError("PostgreSQL did not start:\n" + "".join(log))

    def fresh(self) -> str:
        """The SQLAlchemy URL of a new database."""
        self._made += 1
        name = f"t{self._made}"
        self._run("createdb", "-h", str(self.home), "-U", "crane", name)
        return f"postgresql+psycopg://crane@/{name}?host={self.home}"

    def remove(self) -> None:
        """Stop it, and take its directory away."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(binaries() / program), *arguments]
        done = subprocess.run(command, **self._as_user(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")

    def _as_user(self) -> dict[str, Any]:
        return {"user": self._user, "cwd": "/"} if self._user else {"cwd": "/"}

    def __enter__(self) -> Postgres:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_: object) -> None:
        self.remove()


def _drain(process: subprocess.Popen[str]) -> None:
    """Read on, so that it never blocks on its log; ends with the server."""
    with process.stderr or open(os.devnull) as log:
        for _ in log:
            pass
