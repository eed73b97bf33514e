"""docker-compose.yml, brought up for real: work runs, a node and the leading scheduler die, work runs on."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engine import ROOT, NoEngineError, engine, run

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]
PATIENCE_S = 120.0


class Stack:
    """The services of docker-compose.yml as one project of their own."""

    def __init__(self, env: dict[str, str]) -> None:
        """``env`` reaches the engine."""
        self.project = f"crane-test-{os.getpid()}"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.env = {**env, "FLOWER_PORT": str(sock.getsockname()[1])}
        self._compose = ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")

    def compose(self, *args: str, timeout: float = 600.0) -> str:
        """One call of compose."""
        return run(*self._compose, "-p", self.project, *args, env=self.env, timeout=timeout)

    def execute(self, service: str, *argv: str, user: str = "root") -> str:
        """Return what a program prints inside a service."""
        return self.compose("exec", "-T", "-u", user, service, *argv)

    def ada(self, *argv: str) -> str:
        """Return what a command says to ada on the login service."""
        return self.execute("login", *argv, user="ada")

    def submit(self, *args: str) -> int:
        """``cbatch --parsable``."""
        return int(self.ada("cbatch", "--parsable", *args))

    def ended(self, job: int) -> dict[str, str]:
        """Wait until the job has ended and the history has it: element -> state."""
        self.until(lambda: not json.loads(self.ada("cqueue", "-j", str(job), "--json"))["job_info_list"])

        def states() -> dict[str, str]:
            lines = self.ada("cacct", "-j", str(job), "-N", "-o", "%j|%t").splitlines()
            return {name: state for name, _, state in (line.partition("|") for line in lines) if "." not in name}

        self.until(lambda: bool(states()))
        return states()

    def leader(self) -> str:
        """The service whose scheduler leads, "" while none does."""
        ask = 'REDISCLI_AUTH=$(sed -n "s/^requirepass //p" /etc/valkey/server.conf) valkey-cli get "{compose}:leader"'
        return self.execute("server", "sh", "-c", ask).strip().partition(":")[0]

    def nodes(self) -> str:
        """Return what cinfo says."""
        return self.ada("cinfo")

    @staticmethod
    def until(true: Callable[[], bool]) -> None:
        """Look again until it is true: containers tell of nothing."""
        deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
        while True:
            try:
                if true():
                    return
            except subprocess.CalledProcessError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{error}\n{error.stdout}{error.stderr}") from error
            assert time.monotonic() < deadline
            pause.wait(0.5)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """All services up; taken down at the end with their volumes, networks and image."""
    try:
        with engine() as env:
            made = Stack(env)
            try:
                made.compose("build")
                made.compose("up", "-d")
                yield made
            except subprocess.CalledProcessError as error:
                pytest.fail(f"{error}\n{error.stdout}{error.stderr}")
            finally:
                (ROOT / "artefacts").mkdir(exist_ok=True)
                (ROOT / "artefacts" / "compose.log").write_text(made.compose("logs", "--no-color"))
                made.compose("down", "-v", "--remove-orphans", "-t", "10")
                left = run("docker", "ps", "-aq", "--filter", f"name={made.project}", env=made.env)
                assert not left.strip(), "containers are left"
    except NoEngineError as error:
        pytest.fail(str(error))


def test_work_goes_on_when_a_node_and_the_leader_die(stack: Stack) -> None:
    stack.until(lambda: "node[1-3]" in stack.nodes())
    first = stack.submit("--array=0-5", "-o", "out-%a.txt", "--wrap", "hostname; sleep 1")
    assert set(stack.ended(first).values()) == {"Completed"}
    said = stack.ada("sh", "-c", "cat out-*.txt").split()
    assert len(said) == 6 and set(said) <= {"node1", "node2", "node3"}

    led = stack.leader()
    assert led in ("scheduler1", "scheduler2")
    stack.compose("kill", "node2")
    stack.compose("kill", led)
    stack.until(lambda: "down" in stack.nodes())  # the other scheduler has taken over and written the node off
    second = stack.submit("--array=0-5", "-o", "more-%a.txt", "--wrap", "hostname")
    assert set(stack.ended(second).values()) == {"Completed"}
    assert set(stack.ada("sh", "-c", "cat more-*.txt").split()) <= {"node1", "node3"}
    assert stack.leader() == ("scheduler2" if led == "scheduler1" else "scheduler1")

    stack.compose("start", "node2", led)
    third = stack.submit("-w", "node2", "-o", "back.txt", "--wrap", "hostname")
    assert set(stack.ended(third).values()) == {"Completed"}
    assert stack.ada("cat", "back.txt").strip() == "node2"


def test_flower_shows_the_nodes(stack: Stack) -> None:
    from urllib.request import urlopen

    def page() -> str:
        try:
            with urlopen(f"http://127.0.0.1:{stack.env['FLOWER_PORT']}/workers", timeout=10) as reply:
                return str(reply.read().decode())
        except OSError:
            return ""

    stack.until(lambda: all(f"crane@node{number}" in page() for number in (1, 2, 3)))


def test_secrets_stay_with_the_daemons(stack: Stack) -> None:
    """A job's user can read neither the configuration with the server's password nor the signing key."""
    for service, path in (("login", "/etc/crane/config.yaml"), ("node1", "/etc/crane/config.yaml")):
        with pytest.raises(subprocess.CalledProcessError, match="cat"):
            stack.execute(service, "cat", path, user="ada")
    assert stack.execute("node1", "ls", "/var/lib/crane/keys").split() == ["launch.pub"]


def test_the_compose_file_is_read_by_old_and_new() -> None:
    """No key that docker-compose 1.29 does not know."""
    text = Path(ROOT / "docker-compose.yml").read_text()
    assert not any(f"{word}:" in text for word in ("include", "develop", "start_interval", "required", "version"))
