"""An embedded cluster for measurements, in a folder of its own, in the stock configuration."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

BIN = pathlib.Path(sys.executable).parent
#: who submits when the cluster is root's: an ordinary user that every host has
NOBODY = 65534


class Cluster:
    """A running cluster and the commands of its users."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir(mode=0o777, exist_ok=True)
        self.work.chmod(0o777)
        self.env = {
            **os.environ,
            "CRANE_HOME": str(self.home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.work),
        }
        self.env.pop("CRANE_CONFIG", None)

    def admin(self, *args: str) -> str:
        """Run ``crane``; its output. Raises RuntimeError with what it said."""
        return _said(["crane", *args], self.env, self.work)

    def command(self, *args: str) -> list[str]:
        """The argument vector with which the submitting user runs a command."""
        if os.getuid() != 0:
            return [str(BIN / args[0]), *args[1:]]
        user = f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"
        return ["setpriv", *user, str(BIN / args[0]), *args[1:]]

    def run(self, *args: str, check: bool = True) -> str:
        """Run a user's command in the work folder; its output. Raises RuntimeError with what it said."""
        return _said(self.command(*args), self.env, self.work, check)

    def script(self, name: str, text: str) -> str:
        """Write a script that the submitting user can read; its path."""
        path = self.work / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def seconds(self, *args: str) -> float:
        """Wall seconds of a user's command."""
        start = time.perf_counter()
        self.run(*args)
        return time.perf_counter() - start

    def pids(self) -> list[int]:
        """Every process of this cluster, by its environment, or (the server, which writes over that) by its title."""
        mark, place = f"CRANE_DAEMON={self.home}".encode(), f"{self.home}/".encode()
        processes = (entry for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit())
        return [
            int(entry.name)
            for entry in processes
            if mark in _words(entry, "environ") or any(place in word for word in _words(entry, "cmdline"))
        ]


def _said(argv: list[str], env: dict[str, str], folder: pathlib.Path, check: bool = True) -> str:
    done = subprocess.run(argv, env=env, cwd=folder, text=True, capture_output=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _words(entry: pathlib.Path, name: str) -> list[bytes]:
    try:
        return (entry / name).read_bytes().split(b"\0")
    except OSError:
        return []


@contextmanager
def running(nodes: int = 4, cpus: int = 16, extra: tuple[str, ...] = ()) -> Iterator[Cluster]:
    """A cluster that is up; taken down and removed at the end. ``extra``: lines for its configuration."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crane-bench-", dir="/tmp"))
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        cluster.admin("up", "--nodes", str(nodes), "--cpus", str(cpus), "--mem", "8G", *extra)
        yield cluster
    finally:
        subprocess.run(["crane", "down"], env=cluster.env, check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
