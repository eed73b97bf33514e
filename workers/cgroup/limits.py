"""Limits as the kernel's files and as rlimits want them. Pure."""

import resource

from workers.cgroup.api import Limits

PERIOD_US = 100_000
_MIN_QUOTA_US = 1_000  # the kernel refuses less

MIN_MEMORY = 4 << 20
"""The least memory limit that is set: below it the exec itself, or the spawner beside it, would be the victim."""


def quota_us(cpus: float | None) -> int | None:
    """Return the CPU time per period, or None for no quota."""
    if cpus is None:
        return None
    return max(_MIN_QUOTA_US, round(cpus * PERIOD_US))


def cpu_max(cpus: float | None) -> str:
    """Return the text of v2's cpu.max."""
    quota = quota_us(cpus)
    return f"{'max' if quota is None else quota} {PERIOD_US}"


def memory_bytes(memory: int | None) -> int | None:
    """Return the memory limit that is set, or None for none."""
    return None if memory is None else max(memory, MIN_MEMORY)


def or_max(value: int | None) -> str:
    """Return a number or the kernel's word for no limit."""
    return "max" if value is None else str(value)


def rlimits(limits: Limits, *, root: bool) -> list[tuple[int, tuple[int, int]]]:
    """Return the rlimits that stand in for a cgroup's limits: pairs of resource and (soft, hard).

    They bind each process, not the job; RLIMIT_NPROC counts every process of the user on the host and does not
    bind root at all, so it is left out for root. A hard limit that is lower already is kept.
    """
    wanted = [(resource.RLIMIT_AS, memory_bytes(limits.memory))]
    if not root:
        wanted.append((resource.RLIMIT_NPROC, limits.pids))
    return [(kind, _clamped(kind, value)) for kind, value in wanted if value is not None]


def _clamped(kind: int, value: int) -> tuple[int, int]:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return value, value
