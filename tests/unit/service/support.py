"""A small cluster in memory, a gateway on a real socket over it, and commands run against that."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from crane_celery.model.job import Allocation
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.model.states import Reason, State
from crane_celery.sched.cycle import schedule
from crane_celery.sched.noted import decode, encode, noted
from crane_celery.sched.plan import Why
from crane_celery.sched.snapshot import view_of
from crane_celery.service import Service
from crane_celery.service.query.forecast import config_of
from crane_celery.settings import Settings
from crane_celery.store.api import Answer, Began, Ended, Report, Start
from crane_celery.store.memory import MemoryStore

GIB = 1 << 30
HOLDER = "test"


def settings(home: Path, **changes: object) -> Settings:
    """Four nodes of 16 CPUs, 32 GiB in partition main, cn1 with two GPUs; partition small is cn4, at most one hour."""
    nodes = {
        f"cn{number}": NodeSpec(
            name=f"cn{number}", cpus=16, memory=32 * GIB, gres={"gpu:a100": 2} if number == 1 else {}
        )
        for number in range(1, 5)
    }
    given: dict[str, object] = {
        "cluster": "test",
        "path": "",
        "home": str(home),
        "run_dir": str(home / "run"),
        "server_url": "",
        "embedded": False,
        "history_url": "",
        "allow_root": True,
        "single_user_uid": None,
        "nodes": nodes,
        "partitions": {
            "main": Partition(name="main", nodes=tuple(nodes)),
            "small": Partition(name="small", nodes=("cn4",), max_time=3600, default_time=60),
        },
        "default_partition": "main",
    }
    values: dict[str, Any] = {**given, **changes}
    return Settings(**values)


class Planned(MemoryStore):
    """A store whose leader has just planned and noted it, but starts nothing: what could start finds no room either."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def noted_plan(self) -> str:
        """Return what a leader would note now."""
        shot, given = self.snapshot(), self._settings
        view = view_of(given.partitions, shot.now, shot.jobs, shot.elements, shot.nodes)
        plan = schedule(view, shot.now, config_of(given), None, decode(super().noted_plan()).drains)
        blocked = {each.kind: Why(Reason.RESOURCES) for each in view.queue} | dict(plan.blocked)
        return encode(noted(replace(plan, blocked=blocked)))


class Cluster:
    """Record of what scheduler and nodes do, at a word."""

    def __init__(self, home: Path, **changes: object) -> None:
        self.settings = settings(home, **changes)
        self.store = Planned(self.settings)
        self.service = Service(self.store, self.settings)
        self.epochs = {
            name: self.store.register(spec, name, "none", "1", "boot").epoch
            for name, spec in self.settings.nodes.items()
        }
        self.fence = self.store.lead(HOLDER, 3600)

    def begin(self, job: int, rank: int = 0, node: str = "cn1", run: int = 1) -> int:
        """Start one element and let it run; its plain id."""
        self.judge()
        start = Start(job, rank, run, (Allocation(node=node, cpus=1.0, memory=GIB),))
        assert self.store.start(self.fence, [start]) == [""]
        report = Report(began=[Began(job + rank, run, self.store.now())])
        self.store.report(node, self.epochs[node], report)
        return job + rank

    def end(self, id: int, code: int = 0, node: str = "cn1", run: int = 1) -> None:
        """End a running element."""
        now = self.store.now()
        state = State.FAILED if code else State.COMPLETED
        self.store.report(node, self.epochs[node], Report(ended=[Ended(id, run, str(state), code, now, now)]))

    def run(self, job: int, rank: int = 0, code: int = 0) -> None:
        """Begin and end."""
        self.end(self.begin(job, rank), code)

    def judge(self) -> None:
        """Answer all questions about dependencies, as the leader does."""
        from crane_celery.model.dependency import decode, encode, judge

        questions = self.store.questions(self.fence, 1000)
        verdicts = [(each.job, *judge(decode(each.dep), dict(each.facts))) for each in questions]
        self.store.judge(self.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])


@contextlib.contextmanager
def serving(cluster: Cluster, socket: Path) -> Iterator[str]:
    """A gateway over the cluster."""
    from crane_celery.gateway.server import GatewayServer

    server = GatewayServer(cluster.service, str(socket))
    server.start()
    try:
        yield str(socket)
    finally:
        server.stop()
