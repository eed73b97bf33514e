"""Test what a host has for jobs: by affinity, quotas and limits of both versions of cgroups, also inside containers."""

import os
from pathlib import Path

import pytest

from crane_celery.host import Host, look

GIB = 1 << 30
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
OF_V1 = "5:memory:/a/b\n4:cpu,cpuacct:/a\n0::/\n"
DOCKER_V1 = (
    "32 31 0:29 /docker/12 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 /docker/12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)


def v1(folder: str, quota: int) -> dict[str, str]:
    """A quota of version 1, in thousands of microseconds of each hundred; -1 = none."""
    quota_us = str(quota * 1000 if quota > 0 else -1)
    return {f"{folder}/cpu.cfs_quota_us": quota_us, f"{folder}/cpu.cfs_period_us": "100000"}


#: name -> mounts, own groups, files, CPUs and GiB
CASES: dict[str, tuple[str, str, dict[str, str], tuple[float, int]]] = {
    "no limits": (V2, "0::/u/s\n", {"u/s/memory.max": "max", "u/cpu.max": "max 100000"}, (64, 64)),
    "own group": (V2, "0::/s\n", {"s/memory.max": str(8 * GIB), "s/cpu.max": "150000 100000"}, (1.5, 8)),
    "a group above": (V2, "0::/a/b/c\n", {"a/memory.max": str(3 * GIB), "a/b/cpu.max": "400000 100000"}, (4, 3)),
    "in a container": (V2, "0::/\n", {"memory.max": str(2 * GIB), "cpu.max": "200000 100000"}, (2, 2)),
    "version 1, hybrid": (
        V1,
        OF_V1,
        {
            "memory/a/memory.limit_in_bytes": str(5 * GIB),
            "memory/a/b/memory.limit_in_bytes": "9223372036854771712",
            **v1("cpu,cpuacct/a", 300),
        },
        (3, 5),
    ),
    "version 1, no quota": (V1, OF_V1, v1("cpu,cpuacct/a", -1), (64, 64)),
    "version 1, in a container that sees its own path": (
        DOCKER_V1,
        "5:memory:/docker/12\n4:cpu:/docker/12\n",
        {"memory/memory.limit_in_bytes": str(6 * GIB), **v1("cpu", 50)},
        (0.5, 6),
    ),
    "unreadable": ("", "", {}, (64, 64)),
}


@pytest.mark.parametrize("case", CASES)
def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    mounts, groups, files, wanted = CASES[case]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    proc, top = tmp_path / "proc/self", tmp_path / "sys/fs/cgroup"
    proc.mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(f"MemTotal:       {64 * GIB // 1024} kB\nMemFree: 1 kB\n")
    (proc / "mountinfo").write_text(f"23 1 0:22 / / rw - ext4 /dev/sda rw\n{mounts}")
    (proc / "cgroup").write_text(groups)
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"{text}\n")
    assert look(str(tmp_path)) == Host(wanted[0], wanted[1] * GIB)


def test_fewer_cpus_by_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert look().cpus <= 1


@pytest.mark.parametrize(
    ("memory", "offered"),
    [(1 << 29, 1 << 28), (4 * GIB, 4 * GIB - (512 << 20)), (20 * GIB, 18 * GIB), (1000 * GIB, 992 * GIB)],
)
def test_daemons_and_the_system_keep_some_memory(memory: int, offered: int) -> None:
    assert Host(2.7, memory).offer == Host(2, offered) and Host(0.5, memory).offer.cpus == 1
