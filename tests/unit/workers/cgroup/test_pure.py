"""Test what the drivers work out without the kernel."""

import os
import resource

import pytest

from workers.cgroup import CgroupError, Limits, probe, rlimits
from workers.cgroup.base import check_name
from workers.cgroup.files import Gauge, keyed
from workers.cgroup.limits import MIN_MEMORY, cpu_max, memory_bytes, or_max, quota_us
from workers.cgroup.none import NoneDriver, marker_of
from workers.cgroup.probe import directory_for
from workers.cgroup.procs import parse_stat
from workers.cgroup.v1 import layout_of
from workers.cgroup.v2 import AGENT, base_of


@pytest.mark.parametrize(
    ("cpus", "quota", "text"),
    [
        (None, None, "max 100000"),
        (1.0, 100_000, "100000 100000"),
        (0.5, 50_000, "50000 100000"),
        (0.001, 1_000, "1000 100000"),  # the kernel takes no less than a millisecond
        (64.0, 6_400_000, "6400000 100000"),
    ],
)
def test_cpu_quota(cpus: float | None, quota: int | None, text: str) -> None:
    assert quota_us(cpus) == quota
    assert cpu_max(cpus) == text


def test_memory_has_a_floor_and_no_limit_has_a_word() -> None:
    assert (memory_bytes(1), memory_bytes(1 << 30), memory_bytes(None)) == (MIN_MEMORY, 1 << 30, None)
    assert (or_max(None), or_max(7)) == ("max", "7")


def test_rlimits_leave_out_the_number_of_processes_for_root() -> None:
    limits = Limits(memory=1 << 30, pids=50)
    assert [kind for kind, _ in rlimits(limits, root=True)] == [resource.RLIMIT_AS]
    assert (resource.RLIMIT_NPROC, (50, 50)) in rlimits(limits, root=False)
    assert rlimits(Limits(), root=False) == []


def test_flat_keyed_files() -> None:
    text = "usage_usec 12\nuser_usec 7\noom_kill_disable 0\noom_kill 3\n"
    assert keyed(text, "usage_usec") == 12
    assert keyed(text, "oom_kill") == 3
    assert keyed(text, "absent") == 0


def test_stat_of_a_process_with_an_ugly_name() -> None:
    rest = "S 7 8 9 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 555 0 0"
    found = parse_stat(f"42 (a) b (c d) {rest}\n")
    assert (found.pid, found.state, found.ppid, found.session, found.start, found.cpu_ticks) == (42, "S", 7, 9, 555, 10)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (b"", ""),
        (b"CRANE_SPAWN_KEY=n/s/1\0A=b\0", "n/s/1"),
        (b"A=b\0CRANE_SPAWN_KEY=n/s/1\0", "n/s/1"),
        (b"XCRANE_SPAWN_KEY=no\0A=CRANE_SPAWN_KEY=no\0", ""),
    ],
)
def test_marker_in_an_environment(environ: bytes, expected: str) -> None:
    assert marker_of(environ) == expected


def test_v1_without_memory_or_tracking_is_none() -> None:
    assert layout_of({"cpu": "/c"}, "/u", cpuset=False) is None
    assert layout_of({"memory": "/m"}, None, cpuset=False) is None


def test_v1_prefers_the_v2_tree_and_falls_back_to_the_freezer_and_cpuacct() -> None:
    own = {"memory": "/m", "cpu": "/c", "cpuacct": "/c", "freezer": "/f", "pids": "/p"}
    hybrid, lone = layout_of(own, "/u", cpuset=False), layout_of(own, None, cpuset=False)
    assert hybrid is not None and lone is not None
    assert hybrid.all() == ["/m", "/c", "/p", "/u"]
    assert lone.all() == ["/m", "/c", "/p", "/f"]  # cpuacct is mounted with cpu, and entered once
    assert lone.below("x").acct == "/c/x"


def test_the_daemons_leaf_is_not_nested_in_itself() -> None:
    assert base_of(f"/cg/unit/{AGENT}") == "/cg/unit"
    assert base_of("/cg/unit") == "/cg/unit"


def test_directory_has_no_slash_of_a_name() -> None:
    assert directory_for("crane.main", "rack1/n1") == "crane.main.rack1_n1"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "memory.max", "a\nb"])
def test_names_that_would_leave_the_directory(name: str) -> None:
    with pytest.raises(CgroupError):
        check_name(name)


def test_an_unknown_driver_is_refused_by_name() -> None:
    with pytest.raises(CgroupError, match="'v3'"):
        probe("crane.unit", "n", want="v3")


def test_asking_for_none_gives_none() -> None:
    driver = probe("crane.unit", "n", want="none")
    assert isinstance(driver, NoneDriver)
    assert (driver.name, driver.can_oom, driver.home(), driver.group("s").leaf(1).entry_fds()) == (
        "none",
        False,
        [],
        [],
    )


def test_a_gauge_reads_what_is_there_now(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "file")
    with open(path, "w", encoding="ascii") as file:
        file.write("1\n")
    gauge = Gauge(path, os.O_RDWR)
    assert gauge.number() == 1
    with open(path, "w", encoding="ascii") as file:
        file.write("23\n")
    assert (gauge.number(), gauge.text()) == (23, "23\n")
    gauge.reset()
    assert gauge.text().startswith("0")
    gauge.close()
