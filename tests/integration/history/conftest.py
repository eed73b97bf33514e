"""A real server with a small cluster on it, and a history: in a file, then in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.sql import SqlHistory
from crane_celery.store.redis import RedisStore
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.site import Site


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that lives as long as the session."""
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The history's database, which does not exist yet or is empty: a file, then one of a real PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a dir/history.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


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
