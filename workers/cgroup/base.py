"""Define what the two cgroup drivers share: leaves, counting from a base, signals, release and removal.

A driver adds its directories, its limits and its `Meter`.
"""

import contextlib
import os
import signal as signals

from workers.cgroup import procs
from workers.cgroup.api import PRIMARY, CgroupError, Limits, Usage
from workers.cgroup.files import Gauge, children, keyed, make, pids_below, remove_trees
from workers.cgroup.tracker import Tracker

CARRY_MAX = 16 << 20
"""What a released group may carry over into the next job's memory figure (page cache, or a peak that cannot be
reset). A group that carries more is not taken again: making another costs less than clearing this one would."""

_XATTR = "user.crane.base"
_SETTLE_S = 0.05
_REMOVE_S = 1.0


class Meter:
    """Counters of a group, told as the difference to a base: CPU time in us, OOM kills, memory carried over, and the
    least that the memory peak is known to have been.

    The base is kept in an extended attribute of the directory (user.* on cgroupfs: 5.7), so that it outlives the
    shepherd and ends with the group.
    """

    def __init__(self, path: str, *gauges: Gauge) -> None:
        """Count for the group whose tracking directory is given; the gauges are closed with the meter."""
        self.path = path
        self.base = [0, 0, 0, 0]
        self._gauges = gauges

    def cpu_us(self) -> int:
        """Return CPU time as the kernel counts it."""
        raise NotImplementedError

    def ooms(self) -> int:
        """Return the OOM kills as the kernel counts them, of this very group or of those below too."""
        raise NotImplementedError

    def peak(self) -> int:
        """Return the memory peak as the kernel counts it."""
        raise NotImplementedError

    def reset_peak(self) -> int:
        """Reset the peak where possible; return what is carried over into the next reading of it."""
        raise NotImplementedError

    def cpu_since(self) -> int:
        """Return the CPU time since the base was set."""
        return self.cpu_us() - self.base[0]

    def ooms_since(self) -> int:
        """Return the OOM kills since the base was set."""
        return self.ooms() - self.base[1]

    def peak_since(self) -> int:
        """Return the peak since the base was set."""
        return max(self.base[3], self.peak() - self.base[2])

    def rebase(self) -> int:
        """Count from now; return what memory is carried over."""
        carried = self.reset_peak()
        self.base = [self.cpu_us(), self.ooms(), carried, 0]
        return carried

    def save(self) -> None:
        """Store the base with the group."""
        with contextlib.suppress(OSError):
            os.setxattr(self.path, _XATTR, " ".join(map(str, self.base)).encode())

    def load(self) -> bool:
        """Read the base that an earlier shepherd stored, if one did."""
        try:
            stored = [int(part) for part in os.getxattr(self.path, _XATTR).split()]
        except (OSError, ValueError):
            return False
        if len(stored) == len(self.base):
            self.base = stored
        return True

    def forget(self) -> None:
        """Remove what was stored."""
        with contextlib.suppress(OSError):
            os.removexattr(self.path, _XATTR)

    def close(self) -> None:
        """Close the descriptors."""
        for gauge in self._gauges:
            gauge.close()


class LeafBase:
    """One step's leaf; `doors` are the directories whose cgroup.procs are entered, `dirs` those that are its own."""

    def __init__(self, group: "GroupBase", step: int, dirs: list[str], doors: list[str], meter: Meter) -> None:
        """Describe the leaf; its directories are there."""
        self.name = str(step)
        self.key = f"{group.key}/{step}"
        self.dirs = dirs
        self.meter = meter
        self._group = group
        self._step = step
        self._doors = doors
        self._fds: list[int] = []

    def entry_fds(self) -> list[int]:
        """Open what is needed to enter, once."""
        if not self._fds:
            self._fds = open_doors(self._doors)
        return self._fds

    def adopt(self, pid: int) -> None:
        """Do nothing: the kernel knows who is inside."""

    def pids(self) -> list[int]:
        """Return the processes inside."""
        return pids_below(self.meter.path)

    def usage(self) -> Usage:
        """Return what the step used, and how many processes it has."""
        meter = self.meter
        return Usage(meter.cpu_since() / 1e6, meter.peak_since(), meter.ooms_since(), len(self.pids()))

    def deaths(self) -> int:
        """Return the OOM kills in the leaf."""
        return self.meter.ooms_since()

    def deaths_before(self) -> int:
        """Return the base of that count."""
        return self.meter.base[1]

    def count_deaths_from(self, before: int) -> None:
        """Set the base of that count."""
        self.meter.base[1] = before

    def signal(self, sig: int) -> int:
        """Send a signal to all."""
        return signal_all(self._group.tracker, self.meter.path, sig)

    def kill(self) -> None:
        """Kill all."""
        self._group.tracker.kill(self.meter.path)

    def close(self) -> None:
        """Close the descriptors; remove the leaf unless it is the primary one or still busy."""
        self.shut()
        self._group.drop(self._step, self)

    def shut(self) -> None:
        """Close the descriptors."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        self.meter.close()


class GroupBase:
    """A job group over several directories, one of which (`path`) tracks its processes.

    Most jobs have one step, and what the primary leaf used is what the job used. Only when a second leaf is made does
    the job's own meter count ("wide"), from a base that is set so that it agrees with the leaf's so far.
    """

    def __init__(self, name: str, path: str, dirs: list[str], tracker: Tracker, meter: Meter) -> None:
        """Make the directories, or find them; a group that is found again goes on counting from its stored base."""
        self.name = name
        self.key = "/".join(path.rsplit("/", 2)[1:])  # with the node's directory: nodes may share a host
        self.path = path
        self.gone = False
        self.tracker = tracker
        self.limits: Limits | None = None  # not known: of a new group everything is written once
        self._dirs = dirs
        self._meter = meter
        self._leaves: dict[int, LeafBase] = {}
        self._lost_ooms = 0
        self._wide = False
        self._events = tracker.events(path)
        new = [make(directory) for directory in dirs]
        self._idle = all(new)
        self.prepare()
        self._leaves[PRIMARY] = self._open_leaf(PRIMARY)
        self._wide = not self._idle and meter.load()

    def prepare(self) -> None:
        """Set what a new group needs before it has leaves."""

    def make_leaf(self, step: int) -> LeafBase:
        """Make the directories of a leaf, or find them."""
        raise NotImplementedError

    def apply(self, limits: Limits, old: Limits | None) -> None:
        """Write the limits that differ from the old ones; all of them when those are not known."""
        raise NotImplementedError

    def tasks(self) -> int:
        """Return how many tasks are alive."""
        return len(self.pids())

    def leaf(self, step: int) -> LeafBase:
        """Return a step's leaf, made if need be."""
        leaf = self._leaves.get(step)
        if leaf is None:
            if not self._wide:
                self._widen()
            leaf = self._leaves[step] = self._open_leaf(step)
        return leaf

    def _open_leaf(self, step: int) -> LeafBase:
        leaf = self.make_leaf(step)
        if not self._idle:
            leaf.meter.load()
        return leaf

    def _widen(self) -> None:
        primary, whole = self._leaves[PRIMARY].meter, self._meter
        cpu, peak = primary.cpu_since(), primary.peak_since()
        whole.rebase()
        whole.base[0] -= cpu
        whole.base[3] = peak
        whole.save()
        self._wide = True

    def leaves(self) -> list[int]:
        """Return the steps that have a leaf directory."""
        names = (path.rpartition("/")[2] for path in children(self.path))
        return sorted(int(name) for name in names if name.isdigit())

    def drop(self, step: int, leaf: LeafBase) -> None:
        """Remove a leaf that is done with, keeping its OOM kills in the job's count."""
        if step == PRIMARY:
            return
        ooms = leaf.meter.ooms_since()
        if remove_trees(leaf.dirs, 0):
            self._lost_ooms += ooms
            self._leaves.pop(step, None)

    def take(self, limits: Limits) -> None:
        """Set the limits and count from here."""
        if not self._idle:
            self._rebase()
        self.apply(limits, self.limits)
        self.limits = limits
        self._leaves[PRIMARY].meter.save()
        self._idle = False

    def usage(self) -> Usage:
        """Return what was used since the group was taken."""
        meter = self._meter if self._wide else self._leaves[PRIMARY].meter
        # A v1 parent does not count the kills of its children.
        ooms = self._lost_ooms + sum(leaf.meter.ooms_since() for leaf in self._leaves.values())
        return Usage(meter.cpu_since() / 1e6, meter.peak_since(), ooms, self.tasks())

    def pids(self) -> list[int]:
        """Return the processes of all leaves."""
        return pids_below(self.path)

    def signal(self, sig: int) -> int:
        """Send a signal to all."""
        return signal_all(self.tracker, self.path, sig)

    def freeze(self) -> bool:
        """Stop all."""
        return self.tracker.freeze(self.path)

    def thaw(self) -> None:
        """Let all go on."""
        self.tracker.thaw(self.path)

    def empty(self) -> bool:
        """Return whether no process is left."""
        if self._events is None:
            return not self.tracker.populated(self.path)
        try:
            return keyed(self._events.text(), "populated") == 0
        except OSError:  # the group has gone
            return True

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no process is left."""
        return self.tracker.wait_empty(self.path, timeout_s)

    def release(self, *, bare: bool = False) -> bool:
        """Make the group ready for the next job, if it can be. What is left is asked anyway: it costs little here."""
        del bare
        if not self.empty() and not self._kill_and_wait(_SETTLE_S):
            return False
        if self._wide and not self._drop_leaves():
            return False
        return self._rebase() <= CARRY_MAX

    def _drop_leaves(self) -> bool:
        for step in self.leaves():
            if step != PRIMARY:
                self.leaf(step).close()
        return len(self._leaves) == 1

    def _rebase(self) -> int:
        carried = self._leaves[PRIMARY].meter.rebase()
        if self._wide:
            carried = max(carried, self._meter.reset_peak())
            self._meter.forget()
            self._wide = False
        self._lost_ooms = 0
        self._idle = True
        return carried

    def _kill_and_wait(self, timeout_s: float) -> bool:
        self.tracker.kill(self.path)
        self.thaw()
        return self.wait_empty(timeout_s)

    def remove(self) -> bool:
        """Remove the group, killing what is left in it."""
        self.close()
        if not self.empty():
            self._kill_and_wait(_REMOVE_S)
        self.gone = remove_trees(self._dirs, _REMOVE_S)
        return self.gone

    def close(self) -> None:
        """Close all descriptors and leave the group as it is."""
        for leaf in self._leaves.values():
            leaf.shut()
        self._meter.close()
        if self._events is not None:
            self._events.close()


def open_doors(paths: list[str]) -> list[int]:
    """Open the cgroup.procs files by which a process enters."""
    fds: list[int] = []
    with contextlib.ExitStack() as undo:
        for path in paths:
            fd = _open_door(f"{path}/cgroup.procs")
            undo.callback(os.close, fd)
            fds.append(fd)
        undo.pop_all()
    return fds


def _open_door(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise CgroupError(f"cannot open {path}: {exc.strerror}") from exc


def signal_all(tracker: Tracker, path: str, sig: int) -> int:
    """Send a signal to all processes of a group; SIGKILL goes by the way that nothing escapes."""
    if sig != signals.SIGKILL:
        return procs.send(lambda: pids_below(path), sig)
    count = len(pids_below(path))
    tracker.kill(path)
    return count


def check_name(name: str) -> str:
    """Return a group's name, or refuse one that would leave the directory or collide with the kernel's files."""
    if not name or "/" in name or "." in name or "\n" in name:
        raise CgroupError(f"a group cannot be named {name!r}")
    return name
