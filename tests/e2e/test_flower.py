"""Test what a person sees in Flower, read in a real headless Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crane_celery.model.job import StepRow
from crane_celery.model.states import State
from crane_celery.settings import load
from crane_celery.store.redis import RedisStore
from crane_celery.supervisor.roles import bridge_argv, flower_argv
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.site import Site

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "artefacts"
PATIENCE_S = 60.0
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1600,1000"),
)
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


class Flower:
    """An unmodified Flower with the bridge beside it, and a browser to look at it."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        """``env`` names the cluster; ``folder`` takes what the browser leaves."""
        self.folder = folder
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.env = {**env, "PYTHONPATH": str(ROOT), "FLOWER_UNAUTHENTICATED_API": "true"}

    @property
    def port(self) -> str:
        """Return where Flower is to listen."""
        return self.url.rpartition(":")[2]

    @contextmanager
    def flower(self) -> Iterator[None]:
        """Run Flower; yields when it answers."""
        with self.process(*flower_argv("127.0.0.1", int(self.port)), "--logging=error"):
            yield

    @contextmanager
    def bridge(self) -> Iterator[None]:
        """Run the bridge."""
        process = subprocess.Popen(bridge_argv(), env=self.env, cwd=self.folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)

    @contextmanager
    def process(self, *argv: str) -> Iterator[None]:
        """Run what serves Flower's page; yields when it answers."""
        process = subprocess.Popen(argv, env=self.env, cwd=self.folder)
        try:
            self._until(lambda: "OK" in self.get("/healthcheck"), process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_S)

    def get(self, path: str) -> str:
        """Return what Flower answers, "" while it does not."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as reply:
                return str(reply.read().decode())
        except OSError:
            return ""

    def until_told(self, *facts: str, path: str = "/api/tasks?limit=1000") -> None:
        """Until Flower's own API holds these texts: it has no event to wait for."""
        self._until(lambda: all(fact in self.get(path) for fact in facts))

    def see(self, path: str) -> str:
        """The text of a page as the browser renders it."""
        html = self._browse(path, "--dump-dom", "--virtual-time-budget=8000").stdout
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", " ", html)))

    def photograph(self, path: str, name: str) -> Path:
        """A screenshot of a page among the artefacts."""
        ARTEFACTS.mkdir(exist_ok=True)
        target = ARTEFACTS / name
        target.unlink(missing_ok=True)
        self._browse(path, f"--screenshot={target}", "--virtual-time-budget=8000")
        return target

    def _browse(self, path: str, *options: str) -> "subprocess.CompletedProcess[str]":
        profile = self.folder / f"profile-{time.monotonic_ns()}"
        argv = [_chromium(), *_QUIET, f"--user-data-dir={profile}", *options, self.url + path]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S * 2, check=True)

    @staticmethod
    def _until(true: Callable[[], bool], process: "subprocess.Popen[bytes] | None" = None) -> None:
        deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
        while not true():
            assert time.monotonic() < deadline and (process is None or process.poll() is None)
            pause.wait(0.2)


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no browser: apt-get install chromium"
    return found


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def flower(tmp_path: Path) -> Iterator[tuple[Flower, Site]]:
    """Flower's configuration, and a store with two nodes."""
    with Server() as server:
        config = tmp_path / "config.yaml"
        config.write_text(
            f"ClusterName: test\nServerUrl: {server.url}\nPrivate: []\n"
            'Nodes: [{name: "n[1-2]", cpu: 64, memory: 1G}]\nPartitions: [{name: CPU, nodes: "n[1-2]"}]\n'
        )
        env = {**os.environ, "CRANE_CONFIG": str(config), "CRANE_HOME": str(tmp_path)}
        store = RedisStore(server.url, load(str(config), env).prefix)
        yield Flower(tmp_path, env), Site(store)
        store.close()


def test_nodes_are_workers_and_steps_are_tasks(flower: tuple[Flower, Site]) -> None:
    """Live: what begins and ends while Flower looks; and what ran before anything of it was there."""
    seen, site = flower
    early = site.submit(name="early-bird")
    site.start(early, 0)
    site.begin(early)
    with seen.flower(), seen.bridge():
        seen.until_told(f'"{early}.1"')
        array = site.submit(count=3, name="simulate")
        site.start(array, 0, 1, 2, node="n2")
        site.begin(array, array + 1, array + 2, node="n2")
        _step(site, array + 1)
        site.end(array, node="n2")
        site.end(array + 1, node="n2", code=3)
        site.end(early)
        seen.until_told(f'"{array}_2.1"', "FAILURE", f'"{early}.1"', "SUCCESS", f'"{array}_1.2"')
        tasks = seen.see("/tasks")
        for text in (f"{array}_0.1", f"{array}_1.1", f"{array}_1.2", f"{array}_2.1", f"{early}.1"):
            assert text in tasks
        for text in (
            "simulate",
            "early-bird",
            "x.sh",
            "prep -x",
            "crane@n1",
            "crane@n2",
            "SUCCESS",
            "FAILURE",
            "STARTED",
        ):
            assert text in tasks
        seen.until_told("crane@n1", "crane@n2", path="/workers?json=1")
        workers = seen.see("/workers")
        assert "crane@n1" in workers and "crane@n2" in workers and "Offline" not in workers
        failed = seen.see(f"/task/{array}_1.1")
        assert "Failed 3:0" in failed and "Runtime" in failed
        assert seen.photograph("/tasks", "flower-tasks.png").stat().st_size > 10_000
        assert seen.photograph("/workers", "flower-workers.png").stat().st_size > 10_000


@pytest.mark.e2e
def test_a_real_cluster(crane: Cluster, tmp_path: Path) -> None:
    """`crane flower` beside `crane up`: the real workers tell Flower nothing that contradicts the bridge."""
    seen = Flower(tmp_path, crane.env)
    with seen.process(sys.executable, "-m", "cli.crane", "flower", "--port", seen.port):
        job = crane.submit(
            "-J", "parse", "--array=1-3", "-o", "out-%a", "--wrap", 'crun true; exit "$CRANE_ARRAY_TASK_ID"'
        )
        crane.wait(job)
        seen.until_told(*(f'"{job}_{index}.{step}"' for index in (1, 2, 3) for step in (1, 2)), "FAILURE", "SUCCESS")
        tasks = seen.see("/tasks")
        assert "Showing 1 to 6 of 6" in tasks and "Failed 2:0" in tasks and "crane.launch" not in tasks
        seen.until_told("crane@n1", "crane@n2", path="/workers?json=1")
        workers = seen.see("/workers")
        assert all(text in workers for text in ("crane@n1", "crane@n2", "Showing 1 to 2 of 2"))
        assert seen.photograph("/tasks", "flower-cluster.png").stat().st_size > 10_000


def _step(site: Site, id: int) -> None:
    now = site.store.now()
    row = StepRow(job=id, run=1, step=2, name="prep", state=State.RUNNING, node="n2", command="prep -x", began_at=now)
    site.step(row)
