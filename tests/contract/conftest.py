"""Stores under test: one real server for the session, a fresh prefix for each test, and the in-memory twin."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from crane_celery.store.api import Store
from crane_celery.store.memory import MemoryStore
from crane_celery.store.redis import RedisStore
from tests.support.server import Server

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that lives as long as the session."""
    with Server() as running:
        yield running


@pytest.fixture
def redis_store(server: Server) -> Iterator[RedisStore]:
    """An empty store on the server."""
    store = RedisStore(server.url, f"{{t{next(_NUMBERS)}}}")
    yield store
    store.close()


@pytest.fixture(params=["redis", "memory"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryStore(time.time)
    found: Store = request.getfixturevalue("redis_store")
    return found
