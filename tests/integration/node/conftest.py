"""A node with a real shepherd: as root with cgroups where there are any, as root for another uid, and without.

A node's folder says whose it is; what a run that was killed has left behind, the next run ends and removes.
"""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.integration.node.herder import Herder
from workers.common.proc import start_ticks

_CASES = (
    [(os.geteuid(), "auto"), (os.geteuid(), "none"), (1234, "auto")] if os.geteuid() == 0 else [(os.geteuid(), "none")]
)
_PREFIX, _OWNER = "crane-herd-", "owner"


@pytest.fixture(scope="session")
def clean() -> None:
    """End what an aborted run has left running, and remove it."""
    for base in pathlib.Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        try:
            pid, start, uid, cgroup = (base / _OWNER).read_text().split()
        except (OSError, ValueError):
            continue  # another user's, or being made just now
        if start_ticks(int(pid)) != int(start) and base.stat().st_uid == os.geteuid():
            _end(Herder(base, int(uid), cgroup))


def _end(herder: Herder) -> None:
    try:
        herder.close()
    finally:
        herder.kill_all()
        shutil.rmtree(herder.base)


@pytest.fixture(params=_CASES, ids=lambda case: f"uid{case[0]}-{case[1]}")
def node(request: pytest.FixtureRequest, clean: None) -> Iterator[Herder]:
    """An open node; everything it runs is ended afterwards."""
    del clean
    uid, cgroup = request.param
    base = pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX))
    base.chmod(0o755)
    (base / _OWNER).write_text(f"{os.getpid()} {start_ticks(os.getpid())} {uid} {cgroup}")
    herder = Herder(base, uid, cgroup)
    try:
        yield herder.open()
    finally:
        _end(herder)
