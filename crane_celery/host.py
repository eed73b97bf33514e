"""Define what this host has for jobs: the CPUs that this process may use and the memory that it may have.

A container or a service manager may give less than the machine has: CPUs by affinity (cpusets come as that) or by a
quota of processor time, memory by a limit. Limits hold for all that is below them, so each group from our own up to the
root of the hierarchy counts. Both versions of cgroups are read; what cannot be read does not limit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_MIB = 1 << 20
#: memory that is left to the system and to the daemons: a tenth, within these bounds, and never more than a half
_RESERVE = 512 * _MIB, 8192 * _MIB


class Host(NamedTuple):
    """Record of what there is."""

    cpus: float  # CPUs, or a fraction of one
    memory: int  # bytes

    @property
    def offer(self) -> Host:
        """Return what nodes may promise: whole CPUs (at least one), and memory in MiB without what the daemons need."""
        least, most = _RESERVE
        reserve = min(max(least, min(self.memory // 10, most)), self.memory // 2)
        return Host(max(1, int(self.cpus)), (self.memory - reserve) // _MIB * _MIB)


def look(root: str = "/") -> Host:
    """Look at this host. ``root``: where /proc and the mounted groups are found, for tests."""
    cpus = min([float(len(os.sched_getaffinity(0))), *_quotas(root)])
    return Host(cpus, min([_total(root), *_limits(root)]))


def _total(root: str) -> int:
    for line in _read(root, "/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _quotas(root: str) -> Iterator[float]:
    """CPUs by quotas of processor time."""
    for folder in _groups(root, "cpu"):
        quota, _, period = _read(root, f"{folder}/cpu.max").partition(" ")
        if not quota:
            quota, period = (_read(root, f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _limits(root: str) -> Iterator[int]:
    """Limits of memory."""
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _read(root, f"{folder}/{name}")
            if limit.isdigit():
                yield int(limit)


def _groups(root: str, controller: str) -> Iterator[str]:
    """Folders of our groups that may have this controller, from our own up to the root of each hierarchy."""
    own = dict(_memberships(root, controller))
    for line in _read(root, "/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        version = {"cgroup2": 2, "cgroup": 1}.get(kind)
        if version not in own or (version == 1 and controller not in options.split(",")):
            continue
        top, mount = (_unescaped(word) for word in before.split(" ")[3:5])
        inside = os.path.relpath(own[version], top)
        parts = [] if inside.split("/")[0] in (".", "..") else inside.split("/")
        for depth in range(len(parts), -1, -1):
            yield "/".join([mount, *parts[:depth]])


def _memberships(root: str, controller: str) -> Iterator[tuple[int, str]]:
    """Version of cgroups -> path of our group in the hierarchy of that version that has the controller."""
    for line in _read(root, "/proc/self/cgroup").splitlines():
        number, names, path = line.split(":", 2)
        if number == "0" and not names:
            yield 2, path
        elif controller in names.split(","):
            yield 1, path


def _unescaped(word: str) -> str:
    """A path of mountinfo, where blanks are written in octal."""
    return word.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip()
    except OSError:
        return ""
