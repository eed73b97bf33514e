"""Small words for the contract tests: a store with a leader and nodes, and submissions without ceremony."""

from __future__ import annotations

from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.model.job import Allocation, JobSpec
from crane_celery.model.node import NodeSpec
from crane_celery.store.api import Began, Ended, Report, Start, Store, Submission


def spec(array: str = "", name: str = "work", requeue: str = "never", throttle: int = 0, max_fails: int = 0) -> JobSpec:
    """A specification with texts that are hard to carry."""
    return JobSpec(
        name=name, uid=1000, gid=1000, user="anna", memory=1 << 20, array=array, command='a "b" \n \udc80 é',
        requeue=requeue, throttle=throttle, max_requeue=2, max_fails=max_fails,
    )  # fmt: skip


def needs(kind: str, job: int, first: int = 0, count: int = 1, delay: int = 0) -> str:
    """A dependency of one clause, encoded."""
    return encode(Resolved(False, ((Block(kind, job, first or job, count, delay, f"{kind}:{job}"),),)))


def node(name: str = "n1") -> NodeSpec:
    """A node as configured."""
    return NodeSpec(name=name, cpus=4, memory=1 << 30, gres={"gpu:a": 2}, features=("fast",))


class World:
    """One store with node n1 registered and a leader."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fence = store.lead("tester", 3600)
        self.epoch = store.register(node(), "host", "none", "1", "boot-1").epoch

    def submit(
        self, count: int = 1, dep: str = "", held: bool = False, requeue: str = "never", throttle: int = 0
    ) -> int:
        """One submission; its id."""
        array = f"0-{count - 1}" if count > 1 else ""
        asked = spec(array, requeue=requeue, throttle=throttle)
        [id_] = self.store.submit([Submission(asked, count, b"body", dep, held)], [""])
        return id_

    def start(self, job: int, *ranks: int, run: int = 1, nodes: tuple[str, ...] = ("n1",)) -> list[str]:
        """Commit starts of these ranks (0 when none is named)."""
        parts = tuple(Allocation(node=name, cpus=1.0, memory=1 << 20, gres={"gpu:a": (0,)}) for name in nodes)
        return self.store.start(self.fence, [Start(job, rank, run, parts) for rank in ranks or (0,)])

    def begin(self, *ids: int, run: int = 1) -> None:
        """The node says that they began."""
        now = self.store.now()
        self.store.report("n1", self.epoch, Report([Began(id_, run, now) for id_ in ids]))

    def end(self, *ids: int, state: str = "Completed", code: int = 0, run: int = 1) -> None:
        """The node says that they ended."""
        now = self.store.now()
        rows = [Ended(id_, run, state, code, now, now, "why \udc80" if code else "", 0.5, 4096) for id_ in ids]
        self.store.report("n1", self.epoch, Report((), rows))

    def run(self, job: int, state: str = "Completed", code: int = 0) -> None:
        """A plain job's whole life."""
        assert self.start(job) == [""]
        self.begin(job)
        self.end(job, state=state, code=code)

    def run_again(self, job: int, run: int) -> None:
        """A later run of a plain job, which Completes."""
        assert self.start(job, run=run) == [""]
        self.end(job, run=run)

    def kinds(self) -> list[str]:
        """Kinds of all events so far."""
        return [event.kind for event in self.store.events("0", 0, 100_000)]
