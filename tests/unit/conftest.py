"""Fixtures: a cluster in memory, and a gateway before it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.service.support import Cluster, serving


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """An idle cluster of four nodes that are up."""
    return Cluster(tmp_path)


@pytest.fixture
def gateway(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The path of a served socket, which commands find by themselves; short, as socket paths must be."""
    with tempfile.TemporaryDirectory(prefix="crane-") as home, serving(cluster, Path(home) / "gw.sock") as path:
        monkeypatch.setenv("CRANE_SOCKET", path)
        monkeypatch.setenv("CRANE_CONNECT_TIMEOUT", "0")
        yield path
