"""A node that cannot start jobs draws none of the queue: they run elsewhere, and it takes jobs again when it can."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.disk import MIB, cluster_over, fill

pytestmark = [pytest.mark.root, pytest.mark.faults, pytest.mark.timeout(240)]


@pytest.fixture
def lab() -> Iterator[Cluster]:
    """Two nodes of two CPUs, the spool of the first on a small disk."""
    with cluster_over("spool/n1", 32 * MIB, "--nodes", "2", "--cpus", "2", "--mem", "1G", "--name", "broken") as made:
        yield made


def _node(lab: Cluster, name: str) -> str:
    return lab.run("ccontrol", "show", "node", name).stdout


def test_a_full_spool_draws_no_jobs(lab: Cluster) -> None:
    first = lab.submit("-w", "n1", "-o", "/dev/null", "--wrap", "true")
    assert lab.wait(first) == {first: 0}
    ballast = fill(lab.home / "spool" / "n1", 0)
    jobs = [lab.submit("-o", "/dev/null", "--wrap", f"exit {number}") for number in range(6)]
    assert lab.wait(*jobs) == dict(zip(jobs, range(6), strict=True))
    assert "self-test: " in _node(lab, "n1")
    ballast.unlink()
    last = lab.submit("-w", "n1", "-o", "/dev/null", "--wrap", "exit 9")
    assert lab.wait(last) == {last: 9}
    assert "self-test" not in _node(lab, "n1")


def test_a_shepherd_without_descriptors_draws_no_jobs(lab: Cluster) -> None:
    warm = lab.submit("-w", "n1", "-o", "/dev/null", "--wrap", "true")
    lab.wait(warm)
    pid = next(
        record.pid for name, record in lab.pids().items() if name.startswith("shepherd") and _is_of(record.pid, "n1")
    )
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), usual[1]))
    jobs = [lab.submit("-n", "1", "-o", "/dev/null", "--wrap", f"sleep 0.3; exit {number}") for number in range(8)]
    assert lab.wait(*jobs) == dict(zip(jobs, range(8), strict=True))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    last = lab.submit("-w", "n1", "-o", "/dev/null", "--wrap", "exit 9")
    assert lab.wait(last) == {last: 9}


def _is_of(pid: int, node: str) -> bool:
    return f"node.{node}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
