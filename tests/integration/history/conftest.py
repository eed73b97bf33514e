"""A real server with a small cluster on it, and a history in a file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.schema import METADATA
from crane_celery.history.sql import SqlHistory
from crane_celery.store.redis import RedisStore
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


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The history's database: a file, or, emptied, the one that ``$CRANE_TEST_HISTORY_URL`` names (PostgreSQL)."""
    named = os.environ.get("CRANE_TEST_HISTORY_URL")
    if not named:
        return f"sqlite:///{tmp_path}/a dir/history.db"
    engine = create_engine(named)
    METADATA.drop_all(engine)
    engine.dispose()
    return named


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
