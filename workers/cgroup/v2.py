"""cgroup v2, on a host where it has the memory controller."""

import contextlib
import os

from workers.cgroup import limits as units
from workers.cgroup.api import CgroupError, JobGroup, Limits
from workers.cgroup.base import GroupBase, LeafBase, Meter, check_name, open_doors
from workers.cgroup.files import Gauge, children, keyed, make, numbers, read, read_or, remove_tree, try_write, write
from workers.cgroup.tracker import Unified

AGENT = "crane.agent"
"""The leaf that the daemons live in: a group with controllers for its children may hold no process itself."""

_ROUNDS = 8  # somebody may fork while we move the processes of a group


class V2Meter(Meter):
    """Counters from cpu.stat, memory.events and memory.peak (5.19), which can be reset per descriptor since 6.12."""

    def __init__(self, path: str) -> None:
        """Read the counters of a directory."""
        self._cpu = Gauge(f"{path}/cpu.stat")
        self._oom = Gauge(f"{path}/memory.events")
        self._now = Gauge(f"{path}/memory.current")
        self._peak = Gauge(f"{path}/memory.peak", os.O_RDWR)
        self._since_reset = False
        super().__init__(path, self._cpu, self._oom, self._now, self._peak)

    def cpu_us(self) -> int:
        """Read the CPU time, which includes the groups below."""
        return keyed(self._cpu.text(), "usage_usec")

    def ooms(self) -> int:
        """Read the number of victims."""
        return keyed(self._oom.text(), "oom_kill")

    def peak(self) -> int:
        """Read the peak, or 0 where the kernel does not tell one."""
        try:
            return self._peak.number()
        except OSError:
            return 0

    def reset_peak(self) -> int:
        """Reset the peak; what cannot be reset is carried over."""
        return self._now.number() if self._reset() else self.peak()

    def peak_since(self) -> int:
        """Return the peak; one that was not reset and has not risen is an upper bound, at most CARRY_MAX."""
        return super().peak_since() if self._since_reset else max(self.peak(), self.base[3])

    def load(self) -> bool:
        """Read the stored base; a peak that was counted from a reset is counted from now.

        The reset belonged to a descriptor, and that died with the shepherd that had it.
        """
        found = super().load()
        if any(self.base[:3]) and self._reset():
            self.base[2] = 0
        return found

    def _reset(self) -> bool:
        try:
            self._peak.reset()
        except OSError:  # EINVAL before 6.12
            return False
        self._since_reset = True
        return True

    def close(self) -> None:
        """Close the descriptors."""
        super().close()
        self._since_reset = False


class V2Group(GroupBase):
    """A job's group, with a leaf per step."""

    def __init__(self, name: str, node: str) -> None:
        """Make or find the group below the node's directory."""
        path = f"{node}/{name}"
        super().__init__(name, path, [path], Unified(), V2Meter(path))

    def prepare(self) -> None:
        """Have memory told per step. A group that an older version made has the whole job die at one death."""
        if self._idle:
            write(f"{self.path}/cgroup.subtree_control", "+memory")
        else:
            try_write(f"{self.path}/memory.oom.group", "0")

    def make_leaf(self, step: int) -> LeafBase:
        """Make a leaf."""
        path = f"{self.path}/{step}"
        make(path)
        return LeafBase(self, step, [path], [path], V2Meter(path))

    def tasks(self) -> int:
        """Return the pids controller's count of tasks."""
        count = read_or(f"{self.path}/pids.current", "")
        return int(count) if count else super().tasks()

    def apply(self, limits: Limits, old: Limits | None) -> None:
        """Write what differs; what is not offered is left out, as `Driver.controllers` tells."""
        if old is None or limits.memory != old.memory:
            memory = units.memory_bytes(limits.memory)
            write(f"{self.path}/memory.max", units.or_max(memory))
            try_write(f"{self.path}/memory.swap.max", "max" if memory is None else "0")  # absent without swap
        if old is None or limits.cpus != old.cpus:
            self._set("cpu.max", units.cpu_max(limits.cpus))
        if old is None or limits.pids != old.pids:
            self._set("pids.max", units.or_max(limits.pids))
        if old is None or limits.cpuset != old.cpuset:
            self._set("cpuset.cpus", limits.cpuset or "\n")

    def _set(self, name: str, text: str) -> None:
        path = f"{self.path}/{name}"
        if os.path.exists(path):
            write(path, text)


def base_of(own: str) -> str:
    """Return the group that nodes are made below: ours, or its parent when we are in the daemons' leaf already."""
    return os.path.dirname(own) if os.path.basename(own) == AGENT else own


def is_root(path: str) -> bool:
    """Return whether this is the hierarchy's real root, which may hold processes beside its children.

    The root of a container's cgroup namespace looks like `/` but is not: only the real root lacks cgroup.events.
    """
    return not os.path.exists(f"{path}/cgroup.events")


def enable(path: str, wanted: frozenset[str]) -> frozenset[str]:
    """Hand controllers to the children of a group, as many as it has; return those that are handed on."""
    offered = wanted & set(read_or(f"{path}/cgroup.controllers", "").split())
    for controller in sorted(offered - set(read(f"{path}/cgroup.subtree_control").split())):
        try_write(f"{path}/cgroup.subtree_control", f"+{controller}")
    return wanted & set(read(f"{path}/cgroup.subtree_control").split())


def enable_above(path: str, wanted: frozenset[str]) -> None:
    """Have the parents hand controllers down to a group, which root may; others have what was delegated."""
    parent = os.path.dirname(path)
    if os.path.exists(f"{parent}/cgroup.subtree_control"):
        enable_above(parent, wanted)
        with contextlib.suppress(OSError):
            enable(parent, wanted)


def move_all(source: str, target: str) -> None:
    """Move the processes of a group into its leaf, where they stay under the same unit and the same limits."""
    for pid in numbers(f"{source}/cgroup.procs"):
        try_write(f"{target}/cgroup.procs", str(pid))  # may have ended meanwhile


def make_base(own: str, wanted: frozenset[str]) -> tuple[str, str]:
    """Make our own group one that hands on its controllers; return it, and the group where the daemons live."""
    base = base_of(own)
    enable_above(base, wanted)
    if is_root(base):
        enable(base, wanted)
        return base, base
    agent = f"{base}/{AGENT}"
    make(agent)
    for _ in range(_ROUNDS):
        move_all(base, agent)
        if "memory" in enable(base, wanted):
            return base, agent
    raise CgroupError(f"cannot hand the memory controller on to the children of {base}")


class V2Driver:
    """Job groups in the v2 hierarchy."""

    name = "v2"
    can_oom = True

    def __init__(self, own: str, directory: str, *, cpuset: bool) -> None:
        """Make the node's directory below our own group, having moved ourselves into a leaf where we must."""
        wanted = frozenset(("cpu", "memory", "pids", "cpuset") if cpuset else ("cpu", "memory", "pids"))
        if "memory" not in read_or(f"{base_of(own)}/cgroup.controllers", "").split():
            raise CgroupError(f"{own} does not have the memory controller")
        base, self._agent = make_base(own, wanted)
        self._node = f"{base}/{directory}"
        make(self._node)
        self.controllers = enable(self._node, wanted)
        self._home: list[int] = []
        self._groups: dict[str, V2Group] = {}

    def home(self) -> list[int]:
        """Return the way back to where the daemons live."""
        if not self._home:
            self._home = open_doors([self._agent])
        return self._home

    def group(self, name: str) -> JobGroup:
        """Make a group or find it."""
        known = self._groups.get(name)
        if known is None or known.gone:
            known = self._groups[name] = V2Group(check_name(name), self._node)
        return known

    def existing(self) -> list[str]:
        """Return the groups that are there."""
        return sorted(path.rpartition("/")[2] for path in children(self._node))

    def tick(self) -> None:
        """Do nothing: nothing here is costly to find out."""

    def close(self) -> None:
        """Close all descriptors."""
        for fd in self._home:
            os.close(fd)
        self._home = []
        for group in self._groups.values():
            group.close()
        self._groups.clear()

    def remove_all(self) -> bool:
        """Kill and remove everything of this node; the daemons' leaf stays, since other nodes may use it."""
        self.close()
        if os.path.isdir(self._node):
            tracker = Unified()
            tracker.kill(self._node)
            tracker.wait_empty(self._node, 1.0)
        return remove_tree(self._node, 1.0)
