"""The real `celery beat` over a real server: signed messages arrive in the nodes' queues, and the lease changes hands.

The node here is the test: it takes messages from its Celery queue and reports through the store.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Consumer, Message, Queue

from cli.admin.keys import make_keys
from crane_celery import bootstrap
from crane_celery.celery_app import configuration
from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.model.job import WAITING
from crane_celery.settings import Settings, parse
from crane_celery.store.api import Began, Ended, Report, Store, Submission
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Inbox, Verifier
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.unit.sched.cases import spec

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0


class Site:
    """A server, a configuration, schedulers, and one node named n1."""

    def __init__(self, home: Path, server: Server, url: str = "") -> None:
        """``url``: where the schedulers find the server, if not where it is."""
        self.home = home
        self.server = server
        (home / "config.yaml").write_text(
            f"ClusterName: beat\nServerUrl: {url or server.url}\nNodes:\n  - {{name: n1, cpu: 4, memory: 8G}}\n"
        )
        self.settings: Settings = parse((home / "config.yaml").read_text(), str(home / "config.yaml"), {})
        make_keys(self.settings)
        self.store: Store = bootstrap.open_store(replace(self.settings, server_url=server.url))
        self.beats: list[subprocess.Popen[bytes]] = []
        self.epoch = 0
        self._connection: Connection | None = None
        self._inbox = Inbox("n1", Verifier.load(self.settings.public_key))

    def register(self) -> None:
        self.epoch = self.store.register(self.settings.nodes["n1"], "host", "none", "0", "boot").epoch

    def beat(self) -> subprocess.Popen[bytes]:
        """Start a scheduler."""
        argv = [sys.executable, "-m", "celery", "-A", "crane_celery.celery_app", "beat"]
        argv += ["-S", "beat.host:CraneScheduler", "-l", "info", "--pidfile="]
        env = {**os.environ, "CRANE_CONFIG": str(self.home / "config.yaml"), "CRANE_HOME": str(self.home)}
        with (self.home / "beat.log").open("ab") as log:
            process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
        self.beats.append(process)
        return process

    def leads(self, fence: int) -> None:
        """Wait until the leader with this fence has said so in the stream."""
        self.until("0", lambda kind, data: kind == "lead" and data["fence"] >= fence)

    def until(self, cursor: str, wanted: Callable[[str, dict[str, Any]], bool]) -> None:
        while True:
            events = self.store.events(cursor, PATIENCE_S, 1000)
            assert events, f"nothing came:\n{(self.home / 'beat.log').read_text()}"
            if any(wanted(event.kind, event.data) for event in events):
                return
            cursor = events[-1].seq

    def submit(self, count: int = 1, dep: str = "") -> int:
        asked = spec(array=f"0-{count - 1}" if count > 1 else "")
        return self.store.submit([Submission(asked, count, b"body", dep)], [""])[0]

    def receive(self) -> wire.Message:
        """The next message of the node's queue, accepted as a worker would."""
        if self._connection is None:
            app = Celery("node", set_as_current=False)
            app.conf.update(configuration(self.settings))
            self._connection = app.connection_for_read()
        found: list[wire.Message] = []

        def take(body: list[list[str]], message: Message) -> None:
            (text, signature), *_ = body
            found.append(self._inbox.accept(text, signature, self.epoch, self.store.now()))
            message.ack()

        with Consumer(self._connection, [Queue(wire.queue_of("n1"))], callbacks=[take], accept=["json"]):
            while not found:
                self._connection.drain_events(timeout=PATIENCE_S)
        return found[0]

    def run(self, message: wire.Message) -> list[int]:
        """Begin and end all launches of a message."""
        now = self.store.now()
        began = [Began(launch.id, launch.run, now) for launch in message.launches]
        ended = [Ended(launch.id, launch.run, "Completed", 0, now, now) for launch in message.launches]
        self.store.report("n1", self.epoch, Report(began=began, ended=ended))
        return [launch.id for launch in message.launches]

    def close(self) -> None:
        for process in self.beats:
            process.kill()
            process.wait()
        if self._connection is not None:
            self._connection.release()
        self.store.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Server() as server:
        made = Site(tmp_path, server)
        yield made
        made.close()


def test_an_array_and_what_waits_for_it(site: Site) -> None:
    site.register()
    site.beat()
    array = site.submit(20)
    dep = encode(Resolved(False, ((Block("afterok", array, array, 20, 0, f"afterok:{array}"),),)))
    after = site.submit(dep=dep)
    seen: list[int] = []
    while after not in seen:
        message = site.receive()
        assert len(message.launches) <= 4
        seen += site.run(message)
    assert seen == [*range(array, array + 20), after]
    assert site.store.jobs([after])[0].ready != WAITING


@pytest.mark.parametrize("lag_s", [0.05, 0.5])
def test_a_chain_never_waits_though_the_scheduler_hears_the_time_late(tmp_path: Path, lag_s: float) -> None:
    """Between a verdict and the start that it allows the leader reads events, but never waits for any."""
    with Server() as server:
        proxy = Proxy(server.home / "p.sock", server.home / "s.sock", lag_s, ("judge", "start"))
        site = Site(tmp_path, server, proxy.url)
        site.register()
        jobs = [site.submit()]
        for _ in range(5):
            before = jobs[-1]
            dep = encode(Resolved(False, ((Block("afterok", before, before, 1, 0, f"afterok:{before}"),),)))
            jobs.append(site.submit(dep=dep))
        site.beat()
        assert [site.run(site.receive()) for _ in jobs] == [[job] for job in jobs]
        site.close()
        proxy.close()
    assert "TIME" in proxy.seen
    asked = " ".join(word for word in proxy.seen if word != "TIME").split("judge")
    assert len(asked) > len(jobs) and not [words for words in asked[1:] if words.startswith(" BLOCK start")]


def test_sigterm_resigns_and_a_standby_takes_over(site: Site) -> None:
    site.register()
    first = site.beat()
    site.leads(1)
    second = site.beat()
    job = site.submit()
    assert site.receive().fence == 1
    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE_S) == 0
    site.leads(2)
    again = site.receive()
    assert again.fence == 2 and [launch.id for launch in again.launches] == [job]
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0


def test_after_kill_9_of_the_leader_the_standby_sends_the_leases_again(site: Site) -> None:
    site.register()
    first = site.beat()
    site.leads(1)
    site.beat()
    job = site.submit(2)
    assert len(site.receive().launches) == 2
    first.kill()
    site.leads(2)
    assert sorted(site.run(site.receive())) == [job, job + 1]
    later = site.submit()
    assert site.run(site.receive()) == [later]


def test_it_outlives_the_server(site: Site) -> None:
    site.register()
    beat = site.beat()
    site.leads(1)
    site.server.kill()
    site.server.start()
    job = site.submit()
    launched: list[int] = []
    while job not in launched:
        launched = site.run(site.receive())
    assert beat.poll() is None
