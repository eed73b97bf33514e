"""A node's agent over a store in memory, with a shepherd that only writes down what it was told."""

import hashlib
import json
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crane_celery.errors import Unreachable
from crane_celery.model.job import Allocation, JobSpec
from crane_celery.model.node import NodeSpec
from crane_celery.model.states import State
from crane_celery.settings import Settings
from crane_celery.store.api import Beat, Report, Start, Submission
from crane_celery.store.memory import MemoryStore
from crane_celery.wire.launch import Address, Kill, Launch, build, spec_text
from crane_celery.wire.signing import Signer, Verifier
from workers.agent import agent as module
from workers.agent.agent import Agent
from workers.agent.environment import Place
from workers.agent.reporter import Uplink

PATIENCE_S = 20.0


class Store(MemoryStore):
    """Goes away on request, and says when a report came through."""

    away = False

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take it, or be away."""
        if self.away:
            raise Unreachable("no server")
        super().report(node, epoch, report)

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The same for a heartbeat."""
        if self.away:
            raise Unreachable("no server")
        return super().heartbeat(node, epoch, stale_s, load)

    def body(self, job: int) -> bytes | None:
        """The same for a script."""
        if self.away:
            raise Unreachable("no server")
        return super().body(job)

    def until(self, enough: Callable[[], bool]) -> None:
        """Wait, by the store's own news, until this holds."""
        with self.log.grown:
            assert self.log.grown.wait_for(enough, PATIENCE_S)


class Shepherd:
    """Stands in for workers.agent.shepherd_client."""

    def __init__(self, config: dict[str, Any], log_path: str, hear: Callable[[int, dict[str, Any]], None]) -> None:
        """Keep where to say things."""
        del config, log_path
        self.hear = hear
        self.told: list[dict[str, Any]] = []
        self.runs: list[list[int]] = []
        self.acked = threading.Event()

    def start(self) -> None:
        """Say hello."""
        self.hear(1, {"op": "hello", "pid": 1, "driver": "none", "runs": self.runs})

    def stop(self) -> None:
        """Nothing to stop."""

    def send(self, message: dict[str, Any], generation: int | None = None) -> bool:
        """Write it down."""
        del generation
        self.told.append(message)
        if message["op"] == "ack":
            self.acked.set()
        return True

    def said(self, op: str) -> list[dict[str, Any]]:
        """Frames of one kind, in order."""
        return [message for message in self.told if message["op"] == op]

    def reports(self, *rows: list[Any]) -> None:
        """Tell the agent."""
        self.hear(1, {"op": "reports", "rows": list(rows)})


class Node:
    """Node n1 with its agent; a clock that only a test moves."""

    #: the server's clock - the node's
    ahead_s = 5e8

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        """Registered, and ready for messages."""
        patch.setattr(module, "Shepherding", Shepherd)
        self.clock = 1000.0
        self.set_up(folder, lambda: self.clock)
        self.again([])

    def again(self, runs: list[list[int]]) -> None:
        """Another worker takes over, with a shepherd that runs these."""
        self.agent = self._agent()
        self.shepherd: Shepherd = vars(self.agent)["_shepherd"]
        self.shepherd.runs = runs
        self.shepherd.start()
        self.agent.turn()

    def set_up(self, folder: pathlib.Path, clock: Callable[[], float]) -> None:
        """Store, keys and agent on this clock; nothing is started."""
        self.given_up = list[int]()
        self.store = Store(lambda: clock() + self.ahead_s)
        key = Ed25519PrivateKey.generate()
        self.signer = Signer(key)
        home = str(folder)
        self.settings = Settings(
            cluster="t", path="", home=home, run_dir=f"{home}/run", server_url="", embedded=True, history_url="",
            allow_root=True, single_user_uid=None, partitions={}, default_partition="",
            nodes={"n1": NodeSpec(name="n1", cpus=8, memory=1 << 30)}, cgroup="none", kill_grace_s=0.5,
        )  # fmt: skip
        self.spool = folder / "spool" / "n1"
        self.spool.mkdir(parents=True, exist_ok=True)
        self.place = Place("n1", "t", "/g", "/s", "", False)
        verifier = Verifier(key.public_key())

        def made() -> Agent:
            agent = Agent(self.settings, "n1", self.store, self.place, verifier, clock, self.given_up.append)
            vars(agent)["_skew"] = lambda: 0.0  # the clocks here are nobody's
            return agent

        self._agent = made
        self.agent = self._agent()
        self.fence = self.store.lead("test", 1e9)
        self._nonces = 0

    @property
    def uplink(self) -> Uplink:
        """The agent's reporting thread."""
        found: Uplink = vars(self.agent)["_uplink"]
        return found

    @property
    def epoch(self) -> int:
        """As the store has it."""
        found = self.store.node("n1")
        return found.epoch if found else 0

    def started(self, count: int = 1, nodes: tuple[str, ...] = ("n1",), **body: Any) -> list[int]:
        """Jobs that the leader has given to this node (and others)."""
        ids = []
        for _ in range(count):
            value = {"script": "#!/bin/sh\ntrue\n", "argv": [], "env": {"A": "b"}, "umask": 0o022, **body}
            data = json.dumps(value).encode()
            spec = JobSpec(name="j", uid=0, gid=0, user="root", memory=1 << 20, body=hashlib.sha256(data).hexdigest())
            [id_] = self.store.submit([Submission(spec, 1, data)], [""])
            where = tuple(Allocation(node=name, cpus=1.0, memory=1 << 20, gres={}) for name in nodes)
            assert self.store.start(self.fence, [Start(id_, 0, 1, where)]) == [""]
            ids.append(id_)
        return ids

    def message(self, *ids: int, kills: tuple[Kill, ...] = (), **over: Any) -> tuple[str, str]:
        """A launch message as the leader sends it, but for what ``over`` says."""
        self._nonces += 1
        to = Address("n1", self.epoch, self.fence, str(self._nonces), self.store.now() + 60)._replace(**over)
        specs = {id_: spec_text(job.spec) for id_ in ids if (job := self.store.job(id_))}
        rows = [Launch(id_, 0, id_, 1, None, 1, 1.0, 1 << 20, {}, ("n1",)) for id_ in ids]
        text = build(to, specs, rows, kills)
        return text, self.signer.sign(text)

    def launched(self) -> list[int]:
        """Jobs that reached the shepherd, in order."""
        return [row[0] for frame in self.shepherd.said("launch") for row in frame["rows"]]

    def states(self, ids: list[int]) -> list[State]:
        """Return what the store has of them."""
        return [element.state for element in self.store.elements(ids)]


@contextmanager
def lives(folder: pathlib.Path, config: dict[str, Any]) -> Iterator[Node]:
    """A node in real time, its threads running, with the shepherd of this configuration."""
    host = Node.__new__(Node)
    host.set_up(folder, time.monotonic)
    vars(vars(host.agent)["_shepherd"])["_config"].update(config)
    host.agent.start()
    try:
        host.store.until(lambda: host.epoch > 0)
        yield host
    finally:
        host.agent.stop()


def begin(seq: int, id_: int, at: float = 1000.0) -> list[Any]:
    """A begin as the shepherd tells it."""
    return [seq, "b", id_, 1, at]


def end(seq: int, id_: int, status: int = 0, at: float = 1001.0) -> list[Any]:
    """An end as the shepherd tells it."""
    return [seq, "e", id_, 1, status, "", 1000.0, at, 0.1, 5, 0, ""]
