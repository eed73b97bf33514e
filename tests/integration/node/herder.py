"""A stand-in for the agent: starts a real shepherd, launches, hears, kills. All waits have a deadline."""

import contextlib
import os
import pathlib
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from crane_celery.wire.link import Hangup, Link
from workers.agent import shepherd_start

DEADLINE_S = 30.0
ROOT = pathlib.Path(__file__).resolve().parents[3]


class Herder:
    """One node and its agent's end."""

    def __init__(self, base: pathlib.Path, uid: int, cgroup: str) -> None:
        """Nothing runs yet; jobs will be ``uid``'s."""
        self.base, self.uid = base, uid
        self.config = {
            "node": "n1",
            "cluster": f"t.{base.name}",
            "run": str(base / "run"),
            "spool": str(base / "spool"),
            "cgroup": cgroup,
        }
        self.out = base / "out"
        self.out.mkdir(exist_ok=True)
        self.out.chmod(0o777)
        self.link: Link | None = None
        self.ends: dict[tuple[int, int], list[Any]] = {}
        self.begins: set[tuple[int, int]] = set()
        self.steps: list[list[Any]] = []
        self.hello: dict[str, Any] = {}
        self.missing: list[Any] = []
        self.closed: list[Any] = []
        self.moves: list[tuple[int, str]] = []  # (job, state)
        self.drains: list[str] = []
        self.owner = os.geteuid()
        self.repeats = 0
        self.ack = True

    def open(self) -> "Herder":
        """Connect, starting a shepherd if there is none."""
        if self.link is not None:
            self.link.close()
        self.link = shepherd_start.find(self.config, str(self.base / "log"))
        self.link.send({"op": "agent"})
        self.hear(lambda: bool(self.hello))
        return self

    def send(self, **message: Any) -> None:
        """Send one frame."""
        assert self.link is not None
        self.link.send(message)
        with selectors.DefaultSelector() as one:
            one.register(self.link, selectors.EVENT_WRITE)
            while self.link.waiting:
                one.select()
                self.link.flush()

    def launch(self, ids: list[int], script: str, **over: Any) -> None:
        """Launch runs 1 of these jobs: ``sh -c script``."""
        env = {"PATH": os.defpath, "OUT": str(self.out), "CRANE_SHEPHERD": self.config["run"] + "/shepherd.sock"}
        job = {
            "uid": self.uid, "gid": self.uid, "groups": [self.uid], "argv": ["/bin/sh", "-c", script], "env": env,
            "cwd": str(self.out), "umask": 0o022, "append": False, "cpus": 1.0, "memory": 256 << 20, "pids": 64,
            "limit": None, "grace": 0.5, "deadline": 0.0, "warn": [], "hooks": {},
        }  # fmt: skip
        job.update({key: value for key, value in over.items() if key in job})
        paths = over.get("paths", ["/dev/null", f"{self.out}/o", ""])
        rows = [[id_, over.get("run", 1), "j", {"CRANE_JOB_ID": str(id_)}, paths] for id_ in ids]
        for row in rows if "files" in over else ():
            row.append(over["files"])  # device files, and whether they are held
        self.send(op="launch", jobs={"j": job}, rows=rows)

    def frames(self, until: float) -> Iterator[list[dict[str, Any]]]:
        """Yield what the shepherd says, until the deadline. Raises Hangup."""
        assert self.link is not None
        with selectors.DefaultSelector() as one:
            one.register(self.link, selectors.EVENT_READ)
            while one.select(max(0.0, until - time.monotonic())):
                yield self.link.receive()

    def hear(self, enough: Callable[[], bool]) -> None:
        """Take frames until there is enough."""
        frames = self.frames(time.monotonic() + DEADLINE_S)
        while not enough() and (batch := next(frames, None)) is not None:
            for message in batch:
                self._take(message)
        assert enough(), (self.ends, (self.base / "log").read_text())

    def _take(self, message: dict[str, Any]) -> None:
        if message["op"] == "hello":
            self.hello = message
        if message["op"] == "missing":
            self.missing, self.closed = message["rows"], message["closed"]
        for row in message["rows"] if message["op"] == "reports" else ():
            if row[1] == "b":
                self.begins.add((row[2], row[3]))
            elif row[1] == "e":
                self.repeats += (row[2], row[3]) in self.ends
                self.ends[row[2], row[3]] = row[4:]
            elif row[1] == "m":
                self.moves.append((row[2], row[4]))
            elif row[1] == "d":
                self.drains.append(row[2])
            else:
                self.steps.append(row)
            if self.ack:
                self.send(op="ack", seq=row[0])

    def began(self, *ids: int) -> None:
        """Wait until these have begun (or ended)."""
        self.hear(lambda: all((id_, 1) in self.begins or (id_, 1) in self.ends for id_ in ids))

    def ended(self, id_: int, run: int = 1) -> tuple[int | None, str]:
        """Wait for an end: its status and cause."""
        self.hear(lambda: (id_, run) in self.ends)
        row = self.ends[id_, run]
        return row[0], row[1]

    def kill_shepherd(self) -> None:
        """SIGKILL it, and forget the connection."""
        assert self.link is not None
        kill(self.link.peer()[0])
        self.link.close()
        self.hello = {}

    def spawner_pid(self) -> int:
        """The pid of the spawner, known by its name; 0 while there is none."""
        return next(self.ours("crane-spawner"), 0)

    def ours(self, called: str) -> Iterator[int]:
        """Processes of the shepherd's family with this name: all have its arguments."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                argv = pathlib.Path(f"/proc/{name}/cmdline").read_bytes()
                name_of = pathlib.Path(f"/proc/{name}/comm").read_text().strip()
                if name_of == called and b"from workers.s" in argv and self.config["run"].encode() in argv:
                    yield int(name)

    def kill_all(self) -> None:
        """SIGKILL whatever is left of the shepherd's family, and remove the node's groups with what is in them."""
        for called in ("crane-shepherd", "crane-forker", "crane-spawner"):
            for pid in self.ours(called):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid)
        if self.config["cgroup"] != "none":
            argv = ["remove", self.config["cluster"], self.config["cgroup"], self.config["node"]]
            subprocess.run([sys.executable, "-m", "workers.cgroup", *argv], cwd=ROOT, check=True)

    def lines(self, name: str) -> list[str]:
        """Return what jobs wrote into a witness file."""
        path = self.out / name
        return path.read_text().split() if path.exists() else []

    def wait_for(self, name: str, more_than: int = 0) -> None:
        """Wait until jobs wrote more lines than this into a witness file."""
        until = time.monotonic() + DEADLINE_S
        while len(self.lines(name)) <= more_than:
            assert time.monotonic() < until, name
            self.missing = []  # its answer paces us
            self.send(op="keep", live=[[i, 1] for i in range(1, 1000)])
            self.hear(lambda: bool(self.missing))
        self.missing = []

    def close(self) -> None:
        """End all jobs, then the shepherd (a new one, where it was killed: it finds the jobs)."""
        try:
            if not self.hello:
                self.open()
            self.send(op="kill", rows=[[id_, run, 9] for id_, run in self.hello["runs"]])
            self.send(op="keep", live=[])
            self.send(op="stop")
            for batch in self.frames(time.monotonic() + DEADLINE_S):
                for message in batch:
                    self._take(message)
        except Hangup:
            pass
        if self.link is not None:
            self.link.close()
        shepherd_start.bury()


def crun_of(node: Herder) -> str:
    """A crun that the job's user can run: another user may not read our Python."""
    own = node.uid == os.geteuid()
    code = node.base / "code"
    for part in ("cli", "crane_celery") if not own and not code.exists() else ():
        shutil.copytree(ROOT / part, code / part, ignore=shutil.ignore_patterns("__pycache__"))
    python = sys.executable if own else "/usr/bin/python3"
    return f"PYTHONPATH={shlex.quote(str(ROOT if own else code))} {shlex.quote(python)} -m cli.crun"


def kill(pid: int) -> None:
    """SIGKILL one process and wait until it is dead (a zombie will do)."""
    fd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        with selectors.DefaultSelector() as one:
            one.register(fd, selectors.EVENT_READ)
            assert one.select(DEADLINE_S)
    finally:
        os.close(fd)
