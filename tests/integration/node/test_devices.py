"""Device files of slots on a real node: who does not hold a slot cannot open its file (cgroup v1)."""

import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator

import pytest

from tests.integration.node.herder import Herder
from workers.cgroup import isolates

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
#: /dev/zero and /dev/full under other names: every job needs /dev/null itself
_NUMBERS = (os.makedev(1, 5), os.makedev(1, 7))
_TRY = 'for i in 0 1; do head -c 1 "$DEV/$i" > /dev/null 2>&1 && echo $1$i >> $OUT/w; done; echo $1end >> $OUT/w'


@pytest.fixture
def files(node: Herder) -> Iterator[list[str]]:
    """Two device files, and a shepherd that isolates them."""
    if node.config["cgroup"] == "none" or not isolates():
        pytest.skip("no devices controller of cgroup v1")
    node.kill_shepherd()
    node.config["devices"] = True
    node.open()
    (node.out / "w").touch()
    (node.out / "w").chmod(0o666)
    with tempfile.TemporaryDirectory(dir=node.base) as folder:
        pathlib.Path(folder).chmod(0o755)
        paths = [f"{folder}/{slot}" for slot in range(2)]
        for path, number in zip(paths, _NUMBERS, strict=True):
            os.mknod(path, 0o666 | stat.S_IFCHR, number)
            os.chmod(path, 0o666)
        yield paths


def run(node: Herder, id_: int, files: list[str], held: set[int]) -> set[str]:
    """Run a job that holds these slots; which files it could open."""
    env = {"PATH": os.defpath, "OUT": str(node.out), "DEV": os.path.dirname(files[0])}
    rows = [[file, slot in held] for slot, file in enumerate(files)]
    node.launch([id_], f"set -- {id_}-\n{_TRY}", env=env, files=rows)
    assert node.ended(id_) == (0, "")
    return {line.removeprefix(f"{id_}-") for line in node.lines("w") if line.startswith(f"{id_}-")} - {"end"}


def test_a_job_opens_what_it_holds_and_nothing_else(node: Herder, files: list[str]) -> None:
    assert run(node, 1, files, {0}) == {"0"}
    assert run(node, 2, files, {1}) == {"1"}  # the pooled group of the job before
    assert run(node, 3, files, set()) == set()
    assert run(node, 4, files, {0, 1}) == {"0", "1"}


def test_a_shepherd_that_was_killed_leaves_nothing_denied(node: Herder, files: list[str]) -> None:
    assert run(node, 1, files, set()) == set()
    node.kill_shepherd()
    node.open()
    assert run(node, 2, files, {0}) == {"0"}


def test_a_node_without_device_files_does_not_join(node: Herder) -> None:
    node.launch([1], "grep -c ':devices:.*/p[0-9]*$' /proc/self/cgroup >> $OUT/w; true", paths=["/dev/null", "", ""])
    node.ended(1)
    assert node.lines("w") == ["0"]
