"""Define what a node asks of a cgroup driver: groups for jobs, leaves for steps, limits, counters and signals.

A *job group* holds one job's limits. It is pooled: `take` gives it to a job, `release` makes it ready for the next.
A *leaf* holds one step's processes, because cgroup v2 lets no process live in an inner group.

How a process comes to be inside. The shepherd opens the descriptors of a leaf (`entry_fds`) and hands them to the
spawner, which runs as the user. The spawner writes ``b"0"`` to each of them, in order, which moves *itself*; the kernel
asks what the opener was allowed to do (5.16, and the stable kernels of that time), so a spawner without any right
may do so. It then spawns, the child being born inside, and goes back through the descriptors of `Driver.home`.

Three rules follow, and the shepherd and spawner keep them together:

* The spawner reports a start, or an end, only when it is home again; until it has reported, the shepherd neither
  kills nor releases that group: it would kill the spawner as well.
* The spawner leaves in the order of `Driver.home`'s descriptors, which begins with memory: an OOM kill strikes
  whoever is in the memory group, and the spawner is often the largest there.
* The child gets `Leaf.key` in its environment under `SPAWN_KEY`; without cgroups this is what it is found by.
"""

from typing import NamedTuple, Protocol

SPAWN_KEY = "CRANE_SPAWN_KEY"
"""Environment variable that marks every process of a leaf; its value is `Leaf.key`."""

PRIMARY = 1
"""The step whose leaf is made with the group and kept while the group is pooled."""


class CgroupError(Exception):
    """A group could not be made, limited or removed; the text says which file and what the kernel answered."""


class Limits(NamedTuple):
    """Record of what a job may use; None is no limit. `memory` is in bytes, `cpus` a quota that may be a fraction.

    `devices` has every device that is shared out by slots, as the devices controller names it ("c 195:0"), and whether
    the job holds it.
    """

    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    cpuset: str | None = None
    devices: tuple[tuple[str, bool], ...] = ()


class Usage(NamedTuple):
    """Record of what was used since the group was taken. `pids` are the tasks alive now; a `memory_peak` of 0 is
    unknown."""

    cpu_s: float
    memory_peak: int
    oom_kills: int
    pids: int


class Finding(NamedTuple):
    """One thing that `crane doctor` tells about the host, and how to mend it where it is not as it should be."""

    name: str
    ok: bool
    detail: str
    remedy: str


class Leaf(Protocol):
    """The processes of one step."""

    @property
    def name(self) -> str:
        """The step's number, as text."""

    @property
    def key(self) -> str:
        """The value of `SPAWN_KEY` in the environment of the step's processes."""

    def entry_fds(self) -> list[int]:
        """Descriptors to write ``b"0"`` to, in order; opened once, kept open until `close`. May be empty."""

    def adopt(self, pid: int) -> None:
        """Hear of a process that was started for this step. Only the driver without cgroups has use for it."""

    def pids(self) -> list[int]:
        """Return the processes of the step."""

    def usage(self) -> Usage:
        """Return what the step used."""

    def deaths(self) -> int:
        """Return how many processes of the step were killed because memory ran out."""

    def deaths_before(self) -> int:
        """Return the kernel's count of those from which `deaths` counts, for `count_deaths_from` after a restart."""

    def count_deaths_from(self, before: int) -> None:
        """Count from there: what was stored with the group may have been lost."""

    def signal(self, sig: int) -> int:
        """Send a signal to every process of the step; return how many were reached (SIGKILL: how many there were)."""

    def kill(self) -> None:
        """Kill every process of the step."""

    def close(self) -> None:
        """Close the descriptors; forget the leaf, and remove it if it is empty and not the primary one."""


class JobGroup(Protocol):
    """The group of one job at a time."""

    @property
    def name(self) -> str:
        """The name the driver knows it by."""

    @property
    def path(self) -> str:
        """Its directory in the hierarchy that tracks processes; empty without cgroups."""

    def leaf(self, step: int) -> Leaf:
        """Return the leaf of a step, made if need be."""

    def leaves(self) -> list[int]:
        """Return the steps that have a leaf: after a restart, the ones to look after."""

    def take(self, limits: Limits) -> None:
        """Give the group to a job: set its limits where they differ, and count from here."""

    def usage(self) -> Usage:
        """Return what was used since `take`."""

    def pids(self) -> list[int]:
        """Return all processes, of every leaf."""

    def signal(self, sig: int) -> int:
        """Send a signal to every process; return how many were reached (SIGKILL: how many there were)."""

    def freeze(self) -> bool:
        """Stop all processes; True when they have stopped, False when some still have not after a moment."""

    def thaw(self) -> None:
        """Let frozen processes go on."""

    def empty(self) -> bool:
        """Return whether no process is left (zombies are none)."""

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait, by an event and not by asking again and again, until no process is left."""

    def release(self, *, bare: bool = False) -> bool:
        """Kill what is left and count anew; True when the group may be taken again, else `remove` it.

        `bare`: the caller knows that nothing is left, which without cgroups is costly to find out.
        """

    def remove(self) -> bool:
        """Kill what is left and remove the group with its leaves; False when a process would not die in time."""


class Driver(Protocol):
    """One way to hold jobs on a node."""

    @property
    def name(self) -> str:
        """Return `v2`, `v1` or `none`."""

    @property
    def can_oom(self) -> bool:
        """Return whether a kill for want of memory can be told apart from any other."""

    @property
    def controllers(self) -> frozenset[str]:
        """The limits that bite here: of `cpu`, `memory`, `pids`, `cpuset`, `devices`."""

    def home(self) -> list[int]:
        """Return the descriptors by which a spawner goes back to where it came from; kept open until `close`."""

    def group(self, name: str) -> JobGroup:
        """Make a group, or find it again by its name after a restart."""

    def existing(self) -> list[str]:
        """Return the names of the groups that are there."""

    def tick(self) -> None:
        """Say that a turn of the caller's loop begins: what is costly to find out is found out once per turn."""

    def close(self) -> None:
        """Close all descriptors and leave the groups as they are."""

    def remove_all(self) -> bool:
        """Kill everything, remove every group and the node's own directory; True when nothing is left."""
