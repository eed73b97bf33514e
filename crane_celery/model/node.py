"""Records of nodes and partitions."""

from dataclasses import dataclass, field
from enum import StrEnum


class NodeState(StrEnum):
    """Record of what a node is good for. idle / mix / alloc are shown, not stored: they follow from the allocations."""

    UP = "up"
    DOWN = "down"  # not heard of for NodeTimeout
    DRAIN = "drain"  # runs what it has, gets nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """A node as configured."""

    name: str
    cpus: float
    memory: int  # bytes
    gres: dict[str, int] = field(default_factory=dict)  # "name:type" or "name" -> slots
    #: device files of each slot, by the same names; a name that is absent isolates nothing
    devices: dict[str, list[str]] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    tmp: int = 0  # bytes of temporary disk; 0 = nobody says


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as the store knows it."""

    spec: NodeSpec
    state: NodeState = NodeState.DOWN
    #: grows each time what runs there was written off; a worker with an older one is refused
    epoch: int = 0
    heard_at: float = 0.0  # server time
    reason: str = ""  # of a drain or down
    host: str = ""
    driver: str = ""  # cgroup driver in use
    version: str = ""
    boot: str = ""  # boot id of the host
    #: processes that run or wait to run, on average over a minute, as of the last heartbeat; -1 = not known
    load: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A named set of nodes with its limits and defaults (units: seconds, bytes; None = none)."""

    name: str
    nodes: tuple[str, ...]
    default_time: int | None = None
    max_time: int | None = None
    default_memory_per_cpu: int = 0  # 0 = node memory / node CPUs, smallest node
    default_memory_per_node: int = 0  # 0 = by CPU
    max_memory_per_cpu: int = 0
    max_memory_per_node: int = 0
    #: of one user, 0 = no limit: jobs (elements count) accepted and not ended; elements at once; elements of one array
    max_submit_jobs: int = 0
    max_jobs: int = 0
    max_array_count: int = 0
    priority: int = 0
    up: bool = True
