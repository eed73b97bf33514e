"""cgroup v1, with the v2 tree beside it for tracking where there is one ("hybrid").

As few hierarchies as do the work are joined, since each costs a start 7 to 17 us: memory, cpu and pids for limits, and
the v2 tree for tracking, killing, freezing and CPU time. Without that tree the freezer and cpuacct stand in. Only
memory and the tracking tree have a leaf per step: peak, OOM kills and CPU time are told per step, quotas bind the job.
The devices hierarchy is joined only where asked for: on nodes that name device files.
"""

import contextlib
import os
from typing import NamedTuple

from workers.cgroup import limits as units
from workers.cgroup.api import CgroupError, JobGroup, Limits
from workers.cgroup.base import GroupBase, LeafBase, Meter, check_name, open_doors
from workers.cgroup.files import Gauge, children, keyed, make, read, read_or, remove_trees, try_write, write
from workers.cgroup.tracker import Freezer, Tracker, Unified

_NO_LIMIT = "-1"


class Layout(NamedTuple):
    """The directories that groups are made under, by hierarchy; None is one that is not used."""

    memory: str
    cpu: str | None
    pids: str | None
    cpuset: str | None
    acct: str | None
    track: str
    unified: bool
    devices: str | None = None

    def all(self) -> list[str]:
        """Return the directories, memory first: it is the one to leave first."""
        paths = [self.memory, self.cpu, self.pids, self.cpuset, self.acct, self.devices, self.track]
        return list(dict.fromkeys(path for path in paths if path is not None))

    def below(self, name: str) -> "Layout":
        """Return the same one level down."""

        def under(path: str | None) -> str | None:
            return None if path is None else f"{path}/{name}"

        return Layout(
            memory=f"{self.memory}/{name}",
            cpu=under(self.cpu),
            pids=under(self.pids),
            cpuset=under(self.cpuset),
            acct=under(self.acct),
            track=f"{self.track}/{name}",
            unified=self.unified,
            devices=under(self.devices),
        )


def layout_of(own: dict[str, str], unified: str | None, *, cpuset: bool, devices: bool = False) -> Layout | None:
    """Choose the hierarchies from those that may be written; None when memory or any tracking is missing."""
    track = unified or own.get("freezer")
    if "memory" not in own or track is None:
        return None
    return Layout(
        memory=own["memory"],
        cpu=own.get("cpu"),
        pids=own.get("pids"),
        cpuset=own.get("cpuset") if cpuset else None,
        acct=None if unified else own.get("cpuacct"),
        track=track,
        unified=unified is not None,
        devices=own.get("devices") if devices else None,
    )


class V1Meter(Meter):
    """Counters from memory.* and from the tracking tree, or from cpuacct where that is v1's freezer."""

    def __init__(self, dirs: Layout) -> None:
        """Read the counters of a group's, or leaf's, directories."""
        self._cpu = Gauge(f"{dirs.track}/cpu.stat" if dirs.unified else f"{dirs.acct}/cpuacct.usage")
        self._oom = Gauge(f"{dirs.memory}/memory.oom_control")
        self._now = Gauge(f"{dirs.memory}/memory.usage_in_bytes")
        self._peak = Gauge(f"{dirs.memory}/memory.max_usage_in_bytes", os.O_RDWR)
        self._unified = dirs.unified
        self._counted = dirs.unified or dirs.acct is not None
        super().__init__(dirs.track, self._cpu, self._oom, self._now, self._peak)

    def cpu_us(self) -> int:
        """Read the CPU time: v2's cpu.stat is there without the controller since 4.15."""
        if self._unified:
            return keyed(self._cpu.text(), "usage_usec")
        return self._cpu.number() // 1000 if self._counted else 0

    def ooms(self) -> int:
        """Read the kills of this very group (4.13)."""
        return keyed(self._oom.text(), "oom_kill")

    def peak(self) -> int:
        """Read the high-water mark, which includes the groups below."""
        return self._peak.number()

    def reset_peak(self) -> int:
        """Write the peak back to what is in use now, which is the page cache that the last job left."""
        self._peak.reset()
        return self._now.number()


class V1Group(GroupBase):
    """A job's group in every hierarchy of the layout."""

    def __init__(self, name: str, node: Layout, tracker: Tracker) -> None:
        """Make or find the group below the node's directories."""
        self._at = node.below(name)
        self._tasks = None if self._at.pids is None else Gauge(f"{self._at.pids}/pids.current")
        super().__init__(name, self._at.track, self._at.all(), tracker, V1Meter(self._at))

    def prepare(self) -> None:
        """Give a new cpuset its parent's CPUs and memory nodes: they are empty, and nobody may enter an empty one."""
        if self._at.cpuset is not None and self._idle:
            inherit_cpuset(self._at.cpuset)

    def make_leaf(self, step: int) -> LeafBase:
        """Make a leaf in memory and in the tracking tree; the other hierarchies are entered at the job's group."""
        own = self._at.below(str(step))
        leaf = self._at._replace(memory=own.memory, track=own.track, acct=own.acct)
        dirs = [path for path in (leaf.memory, leaf.acct, leaf.track) if path is not None]
        for path in dirs:
            make(path)
        return LeafBase(self, step, dirs, leaf.all(), V1Meter(leaf))

    def tasks(self) -> int:
        """Return the pids controller's count of tasks."""
        return super().tasks() if self._tasks is None else self._tasks.number()

    def close(self) -> None:
        """Close all descriptors."""
        super().close()
        if self._tasks is not None:
            self._tasks.close()

    def apply(self, limits: Limits, old: Limits | None) -> None:
        """Write what differs."""
        if old is None or limits.memory != old.memory:
            self._set_memory(units.memory_bytes(limits.memory))
        if self._at.cpu is not None and (old is None or limits.cpus != old.cpus):
            self._set_cpu(self._at.cpu, units.quota_us(limits.cpus))
        if self._at.pids is not None and (old is None or limits.pids != old.pids):
            write(f"{self._at.pids}/pids.max", units.or_max(limits.pids))
        if self._at.cpuset is not None and (old is None or limits.cpuset != old.cpuset):
            self._set_cpuset(self._at.cpuset, limits.cpuset)
        if self._at.devices is not None and (old is None or limits.devices != old.devices):
            set_devices(self._at.devices, limits.devices, new=old is None)

    def _set_memory(self, wanted: int | None) -> None:
        """Set memory and memory+swap alike, in the order that never has memory above memory+swap."""
        value = _NO_LIMIT if wanted is None else str(wanted)
        names = ["memory.limit_in_bytes"]
        if os.path.exists(f"{self._at.memory}/memory.memsw.limit_in_bytes"):  # absent with swapaccount=0
            names.append("memory.memsw.limit_in_bytes")
        current = int(read(f"{self._at.memory}/memory.limit_in_bytes"))
        rising = wanted is None or wanted > current
        for name in reversed(names) if rising else names:
            write(f"{self._at.memory}/{name}", value)

    def _set_cpu(self, path: str, quota: int | None) -> None:
        write(f"{path}/cpu.cfs_period_us", str(units.PERIOD_US))
        write(f"{path}/cpu.cfs_quota_us", _NO_LIMIT if quota is None else str(quota))

    def _set_cpuset(self, path: str, cpus: str | None) -> None:
        if cpus is None:
            inherit_cpuset(path)
        else:
            write(f"{path}/cpuset.cpus", cpus)


def inherit_cpuset(path: str) -> None:
    """Give a cpuset what its parent has."""
    for name in ("cpuset.mems", "cpuset.cpus"):
        write(f"{path}/{name}", read(f"{os.path.dirname(path)}/{name}").strip())


def set_devices(path: str, devices: tuple[tuple[str, bool], ...], *, new: bool) -> None:
    """Allow the devices that are held and deny the others; `new`: nobody knows what the group denies already."""
    if new:
        try_write(
            f"{path}/devices.allow", "a"
        )  # refused where our own group may not use every device: then it has less
    for number, held in devices:
        if not held:
            write(f"{path}/devices.deny", f"{number} rwm")
        elif not try_write(f"{path}/devices.allow", f"{number} rwm"):  # a container may use some, and make none
            write(f"{path}/devices.allow", f"{number} rw")


class V1Driver:
    """Job groups in v1's hierarchies."""

    name = "v1"
    can_oom = True

    def __init__(self, own: Layout, directory: str) -> None:
        """Make the node's directories below our own groups."""
        self.tracker: Tracker = Unified() if own.unified else Freezer()
        self._own = own
        self._node = own.below(directory)
        self._home: list[int] = []
        self._groups: dict[str, V1Group] = {}
        named = {"memory": own.memory, "cpu": own.cpu, "pids": own.pids, "cpuset": own.cpuset, "devices": own.devices}
        self.controllers = frozenset(name for name, path in named.items() if path is not None)
        try:
            self._prepare()
        except CgroupError:
            remove_trees(self._node.all(), 0)
            raise

    def _prepare(self) -> None:
        new = {path for path in self._node.all() if make(path)}
        if self._node.cpuset is not None and self._node.cpuset in new:
            inherit_cpuset(self._node.cpuset)
        flag = f"{self._node.memory}/memory.use_hierarchy"
        if read_or(flag, "1").strip() == "0":  # before 5.11 children do not count to their parents by default
            write(flag, "1")

    def home(self) -> list[int]:
        """Return the way back to our own groups."""
        if not self._home:
            self._home = open_doors(self._own.all())
        return self._home

    def group(self, name: str) -> JobGroup:
        """Make a group or find it."""
        known = self._groups.get(name)
        if known is None or known.gone:
            known = self._groups[name] = V1Group(check_name(name), self._node, self.tracker)
        return known

    def existing(self) -> list[str]:
        """Return the groups that track processes."""
        return sorted(path.rpartition("/")[2] for path in children(self._node.track))

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
        """Kill and remove everything of this node."""
        with contextlib.suppress(OSError):
            self.tracker.kill(self._node.track)
            self.tracker.wait_empty(self._node.track, 1.0)
        self.close()
        return remove_trees(self._node.all(), 1.0)
