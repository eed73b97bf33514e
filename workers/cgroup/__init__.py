"""Job groups: limits, accounting and killing, by cgroup v2, by v1 or without. Standard library only."""

from workers.cgroup.api import (
    PRIMARY,
    SPAWN_KEY,
    CgroupError,
    Driver,
    Finding,
    JobGroup,
    Leaf,
    Limits,
    Usage,
)
from workers.cgroup.dynmods import favour
from workers.cgroup.limits import rlimits
from workers.cgroup.probe import explain, isolates, probe

__all__ = [
    "PRIMARY",
    "SPAWN_KEY",
    "CgroupError",
    "Driver",
    "Finding",
    "JobGroup",
    "Leaf",
    "Limits",
    "Usage",
    "explain",
    "favour",
    "isolates",
    "probe",
    "rlimits",
]
