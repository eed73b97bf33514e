"""A real server with a small cluster on it, and a history in a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import Allocation, JobSpec
from crane_celery.model.node import NodeSpec
from crane_celery.store.api import Began, Ended, Report, Start, Submission
from crane_celery.store.redis import RedisStore
from tests.support.server import Server


class Site:
    """A store with two nodes and a leader: what daemons do to it, by hand."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.fence = store.lead("test", 3600.0)
        self.epochs = {
            name: store.register(NodeSpec(name=name, cpus=64, memory=1 << 30), "host", "none", "1", "boot").epoch
            for name in ("n1", "n2")
        }
        for name, epoch in self.epochs.items():
            store.heartbeat(name, epoch, 60.0)

    def submit(self, count: int = 1, name: str = "job", uid: int = 1000, user: str = "ada") -> int:
        array = f"0-{count - 1}" if count > 1 else ""
        spec = JobSpec(name=name, uid=uid, gid=uid, user=user, array=array, partition="CPU", memory=64, command="x.sh")
        return self.store.submit([Submission(spec, count, b"body")], [""])[0]

    def start(self, job: int, *ranks: int, run: int = 1, node: str = "n1") -> None:
        held = (Allocation(node=node, cpus=1.0, memory=64),)
        said = self.store.start(self.fence, [Start(job, rank, run, held) for rank in ranks])
        assert said == [""] * len(ranks)

    def begin(self, *ids: int, run: int = 1, node: str = "n1") -> None:
        now = self.store.now()
        self.store.report(node, self.epochs[node], Report(began=[Began(id, run, now) for id in ids]))

    def end(self, *ids: int, run: int = 1, node: str = "n1", code: int = 0) -> None:
        now = self.store.now()
        state = "Failed" if code else "Completed"
        ended = [Ended(id, run, state, code, now - 2.0, now, "", 0.5, 4096) for id in ids]
        self.store.report(node, self.epochs[node], Report(ended=ended))

    def ran(self, count: int = 1, name: str = "job", uid: int = 1000, user: str = "ada") -> int:
        job = self.submit(count, name, uid, user)
        self.start(job, *range(count))
        self.end(*range(job, job + count))
        return job


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this test's own."""
    with Server() as running:
        yield running


@pytest.fixture
def store(server: Server) -> Iterator[RedisStore]:
    """The store of a cluster called test."""
    opened = RedisStore(server.url, "{test}")
    yield opened
    opened.close()


@pytest.fixture
def site(store: RedisStore) -> Site:
    """A cluster of two nodes."""
    return Site(store)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The history's database."""
    return f"sqlite:///{tmp_path}/a dir/history.db"


@pytest.fixture
def filing(url: str) -> Iterator[Filing]:
    """The history's writing side."""
    database = Database(url)
    yield Filing(database)
    database.close()


@pytest.fixture
def history(url: str) -> Iterator[SqlHistory]:
    """The history's reading side."""
    opened = SqlHistory(url)
    yield opened
    opened.close()
