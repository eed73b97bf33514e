"""A node with a real shepherd: as root with cgroups where there are any, as root for another uid, and without."""

import os
import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from tests.integration.node.herder import Herder

_CASES = (
    [(os.geteuid(), "auto"), (os.geteuid(), "none"), (1234, "auto")] if os.geteuid() == 0 else [(os.geteuid(), "none")]
)


@pytest.fixture(params=_CASES, ids=lambda case: f"uid{case[0]}-{case[1]}")
def node(request: pytest.FixtureRequest) -> Iterator[Herder]:
    """An open node; everything it runs is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="crane-n", dir="/tmp") as name:
        base = pathlib.Path(name)
        base.chmod(0o755)
        herder = Herder(base, *request.param).open()
        yield herder
        herder.close()
