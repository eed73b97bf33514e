"""What this host has for jobs: the processors and the memory that are ours to use, a container's limits heeded."""

from __future__ import annotations

import os
from typing import NamedTuple

_CGROUP = "/sys/fs/cgroup"
_MEMINFO = "/proc/meminfo"


class Host(NamedTuple):
    """Whole processors, and memory in MiB."""

    cpus: int
    memory_mib: int


def this_host(cgroup: str = _CGROUP, meminfo: str = _MEMINFO) -> Host:
    """Read both: what the kernel offers this process, or what a limit on the container leaves of it."""
    cpus = len(os.sched_getaffinity(0))
    quota, period = [*_words(cgroup, "cpu.max"), "", ""][:2]
    if not quota:
        quota, period = (_first(cgroup, f"cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota.isdigit() and period.isdigit() and int(period):
        cpus = min(cpus, max(1, int(quota) // int(period)))
    memory = _total(meminfo)
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _first(cgroup, name)
        if limit.isdigit() and int(limit):
            memory = min(memory, int(limit) >> 20)
    return Host(cpus, memory)


def _total(meminfo: str) -> int:
    """MiB of memory that the kernel manages."""
    with open(meminfo, encoding="ascii") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("MemTotal:"))


def _first(folder: str, name: str) -> str:
    return (_words(folder, name) or [""])[0]


def _words(folder: str, name: str) -> list[str]:
    """The words of a file of the kernel; none where there is no such file."""
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []
