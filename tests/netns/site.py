"""A cluster of several hosts, each with its own address, home, run directory and configuration file.

``server``: the server on TCP with a password, and the recorder; ``first``, ``second``: schedulers; ``b``, ``c``: nodes;
``login``: the gateway. Every daemon is started as an administrator would, by one command. The tests' own look at the
store goes over the server's Unix socket, which no network fault touches.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crane_celery.gateway import client
from crane_celery.model.event import Event
from crane_celery.settings import load
from crane_celery.store.redis import RedisStore
from crane_celery.supervisor import stop
from tests.netns.net import Host, network
from tests.support.cluster import PATIENCE_S, ROOT, commands, groups
from tests.support.disk import MIB, disk
from tests.support.server import binary

HOSTS = ("server", "first", "second", "b", "c", "login")
NODES = ("b", "c")
SERVER = """\
bind {address}
port 6379
unixsocket {folder}/server.sock
requirepass {password}
dir {folder}/data
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
"""
CONFIG = """\
ClusterName: {name}
CraneBaseDir: {home}
RunDir: {home}/run
ServerUrl: redis://:{password}@{address}:6379/0
HistoryUrl: sqlite:///{folder}/history.db
AllowRoot: true
NodeTimeout: {timeout}
KillGrace: 5
MinFreeSpace: 16M
Nodes:
  - {{name: "b,c", cpu: 4, memory: 1G}}
"""


class Process:
    """A daemon on a host; what it says is kept, and can be waited for."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        """Start it."""
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._tell(line)
        self._tell(None)

    def _tell(self, line: str | None) -> None:
        with self._news:
            self._over = line is None
            self.lines += [line] if line is not None else []
            self._news.notify_all()

    def says(self, text: str, after: int = 0) -> None:
        """Wait until a line has it, among those from number ``after`` on."""
        with self._news:
            found = self._news.wait_for(lambda: self._over or self._has(text, after), PATIENCE_S)
            assert found and self._has(text, after), f"never said {text!r}:\n{''.join(self.lines)}"

    def _has(self, text: str, after: int) -> bool:
        return any(text in line for line in self.lines[after:])

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def end(self, hard: bool = False) -> None:
        """SIGTERM (or SIGKILL) and wait. Idempotent."""
        with suppress(ProcessLookupError):
            (self._process.kill if hard else self._process.terminate)()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        if self._process.stdout and not self._reader.is_alive():
            self._process.stdout.close()


class Site:
    """The cluster."""

    def __init__(self, folder: Path, hosts: dict[str, Host], timeout_s: int) -> None:
        """Write the files; nothing is started yet."""
        self.folder, self.hosts = folder, hosts
        self.name = f"net-{folder.name[-8:]}"
        self.work = folder / "work"
        self.work.mkdir()
        commands(folder / "bin")
        self.running: dict[str, Process] = {}
        password = secrets.token_hex(16)
        told = {"folder": folder, "password": password, "address": hosts["server"].address, "name": self.name}
        _private(folder / "server.conf", SERVER.format(**told))
        for name in hosts:
            (folder / name).mkdir()
            _private(folder / name / "config.yaml", CONFIG.format(home=folder / name, timeout=timeout_s, **told))
        self._share_keys()
        self._secret = password
        self.store = RedisStore(f"unix://:{password}@{folder}/server.sock", f"{{{self.name}}}")

    def _share_keys(self) -> None:
        """Schedulers have the pair, nodes the public half, the others nothing."""
        argv = (sys.executable, "-m", "cli.crane", "keys", "--config", self.config("first"))
        subprocess.run(argv, env=self.env("first"), check=True, capture_output=True)
        shutil.copytree(self.folder / "first/keys", self.folder / "second/keys")
        for node in NODES:
            (self.folder / node / "keys").mkdir()
            shutil.copy(self.folder / "first/keys/launch.pub", self.folder / node / "keys/launch.pub")

    def config(self, host: str) -> str:
        """A host's configuration file."""
        return str(self.folder / host / "config.yaml")

    def env(self, host: str) -> dict[str, str]:
        """Return what a person on that host has in the environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRANE_", "SLURM_"))}
        path = f"{self.folder / 'bin'}:{kept['PATH']}"
        home = str(self.folder / host)
        return {**kept, "PYTHONPATH": str(ROOT), "PATH": path, "HOME": str(self.work), "CRANE_HOME": home}

    def start(self, name: str, host: str, *argv: str, **more: str) -> Process:
        """Start a daemon on a host."""
        env = {**self.env(host), **more}
        self.running[name] = Process(self.hosts[host].inside(*argv), env)
        return self.running[name]

    def crane(self, role: str, host: str, *argv: str) -> Process:
        """``crane ROLE ... --config FILE`` on a host."""
        name = f"{role}@{host}"
        return self.start(name, host, sys.executable, "-m", "cli.crane", role, *argv, "--config", self.config(host))

    def serve(self) -> None:
        """Start the server; returns when it accepts connections."""
        self.start("server", "server", binary(), str(self.folder / "server.conf")).says("accept connections")

    def schedule(self, host: str) -> Process:
        """Start a scheduler on a host."""
        return self.crane("scheduler", host)

    def node(self, name: str) -> Process:
        """The one command that makes a host a node."""
        return self.crane("node", name, "--name", name)

    def up(self) -> None:
        """Start all of it but the second scheduler; returns when both nodes are up."""
        self.serve()
        self.schedule("first").says("leading, fence")
        for node in NODES:
            self.node(node)
        self.crane("recorder", "server")
        self.crane("gateway", "login").says("serving")
        for node in NODES:
            self.node_state(node, "up")

    def node_state(self, node: str, state: str) -> None:
        """Wait until the cluster takes the node for ``state``."""
        self.event(lambda _event: (found := self.store.node(node)) is not None and found.state == state, at_once=True)

    def event(
        self, wanted: Callable[[Event], bool], after: str = "", *, at_once: bool = False, patience_s: float = PATIENCE_S
    ) -> Event:
        """Wait for an event after ``after`` (now); ``at_once``: the condition may hold without any."""
        seq, deadline = after or self.store.last_event(), time.monotonic() + patience_s
        nothing = Event(seq, 0.0, "", {})
        if at_once and wanted(nothing):
            return nothing
        while (left := deadline - time.monotonic()) > 0:
            for event in self.store.events(seq, left, 100):
                seq = event.seq
                if wanted(event):
                    return event
        raise AssertionError(f"no such event in {patience_s:g} s\n{self.told()}")

    def told(self) -> str:
        """The last that each daemon said: for the message of a failed test."""
        return "".join(f"{name}: {line}" for name, daemon in self.running.items() for line in daemon.lines[-20:])

    def run(self, command: str, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """A user's command on the login host; its exit code must be ``code`` (None: any)."""
        done = subprocess.run(self.argv(command, *args), env=self.env("login"), cwd=self.work, capture_output=True,
                              text=True, timeout=PATIENCE_S * 2, check=False)  # fmt: skip
        assert code is None or done.returncode == code, (
            f"{command} {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def argv(self, command: str, *args: str) -> list[str]:
        """Return how the login host runs a command."""
        return self.hosts["login"].inside(sys.executable, "-m", f"cli.{command}", *args)

    def submit(self, *args: str) -> int:
        """``cbatch --parsable`` on the login host."""
        return int(self.run("cbatch", "--parsable", *args).stdout)

    def wait(self, *ids: int) -> dict[int, int]:
        """Wait until these jobs have ended; their stored exit codes, as the login host's gateway tells them."""
        answer = client.call("wait", {"ids": list(ids)}, str(self.folder / "login/run/gateway.sock"))
        return {int(job): int(code) for job, code in answer["codes"].items()}

    def down(self) -> None:
        """End everything on every host; nothing may be left."""
        told = [name for name, process in self.running.items() if self._tells_the_secret(process)]
        for process in self.running.values():
            process.end()
        self.store.close()
        left = []
        for host in self.hosts:
            argv = (sys.executable, "-m", "cli.crane", "down", "--config", self.config(host))
            subprocess.run(argv, env={**self.env(host), "CRANE_HOME": ""}, check=True, capture_output=True)
            settings = load(self.config(host), {})
            left += stop.strays(settings) + groups(settings)
        assert not left, f"left behind: {left}"
        assert not told, f"the password is on a command line or in a log: {told}"

    def _tells_the_secret(self, process: Process) -> bool:
        told = "".join(process.lines)
        with suppress(FileNotFoundError):
            told += Path(f"/proc/{process.pid}/cmdline").read_text()
        return self._secret in told


def _private(path: Path, text: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)


@contextmanager
def site(timeout_s: int) -> Iterator[Site]:
    """A cluster over several hosts that accepts jobs; ``timeout_s``: a node not heard of for so long is written off."""
    folder = Path(tempfile.mkdtemp(prefix="crane-net-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with disk(folder / "data", 64 * MIB), network(HOSTS) as hosts:
            made = Site(folder, hosts, timeout_s)
            try:
                made.up()
                yield made
            finally:
                made.down()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
