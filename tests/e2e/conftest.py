"""Fixtures of tests that need a whole cluster."""

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, cluster


@pytest.fixture(scope="module")
def crane() -> Iterator[Cluster]:
    """A cluster of two nodes, shared by the tests of one module; nothing may be left of it."""
    with cluster() as made:
        yield made


@pytest.fixture
def own_crane() -> Iterator[Cluster]:
    """A cluster of its own for a test that breaks things."""
    with cluster() as made:
        yield made
