"""No cgroups: sessions, an environment marker and rlimits.

A job's processes are those that carry its marker in their environment and those of the sessions that were started for
it. So a child that calls setsid or forks twice is found (marker), and one that clears its environment too (session);
only a process that does both escapes. Limits are per process (`limits.rlimits`, applied by the spawner), and a kill for
want of memory looks like any other. The spawner's wait4 tells best what a job used; here it is what was seen alive.
"""

import os
import signal as signals
from collections.abc import Callable
from typing import NamedTuple

from workers.cgroup import procs
from workers.cgroup.api import PRIMARY, SPAWN_KEY, JobGroup, Leaf, Limits, Usage
from workers.cgroup.base import check_name
from workers.cgroup.procs import Stat

_MARKER = b"\0" + SPAWN_KEY.encode() + b"="
_DEAD = frozenset("ZX")
_SETTLE_S = 0.05
_REMOVE_S = 1.0
_KILL_ROUNDS = 8


class Seen(NamedTuple):
    """A live process and its marker, empty where there is none or it may not be read."""

    stat: Stat
    key: str


def marker_of(environ: bytes) -> str:
    """Return the marker's value in an environment block."""
    _, found, rest = (b"\0" + environ).partition(_MARKER)
    return rest.partition(b"\0")[0].decode(errors="replace") if found else ""


def _environ(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:  # another user's, or gone
        return b""


def ancestors(pid: int) -> set[int]:
    """Return a process and all above it."""
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        above = procs.stat(pid)
        pid = 0 if above is None else above.ppid
    return found


class Processes:
    """All live processes; read once per turn when turns are told of, and every time when they are not."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._turns = False
        self._seen: dict[int, Seen] | None = None

    def tick(self) -> None:
        """Begin a turn."""
        self._turns = True
        self._seen = None

    def forget(self) -> None:
        """Read again at the next question: something was started or killed."""
        self._seen = None

    def all(self) -> dict[int, Seen]:
        """Return the live processes, without this one and those above it, which may carry an outer job's marker."""
        if self._seen is None or not self._turns:
            self._seen = self._read()
        return self._seen

    def _read(self) -> dict[int, Seen]:
        stats = (procs.stat(int(name)) for name in os.listdir("/proc") if name.isdigit())
        spared = ancestors(os.getpid())
        live = (stat for stat in stats if stat is not None and stat.state not in _DEAD and stat.pid not in spared)
        return {stat.pid: Seen(stat, marker_of(_environ(stat.pid))) for stat in live}


class NoneLeaf:
    """A step's processes."""

    def __init__(self, group: "NoneGroup", step: int) -> None:
        """Describe the leaf."""
        self.name = str(step)
        self.key = f"{group.key}/{step}"
        self._group = group
        self._sessions: dict[int, int] = {}

    def entry_fds(self) -> list[int]:
        """Return none: there is nothing to enter."""
        return []

    def adopt(self, pid: int) -> None:
        """Remember a process by pid and start, and with it the session that it leads, now or as soon as it does."""
        known = procs.stat(pid)
        self._group.processes.forget()
        if known is not None:
            self._sessions[pid] = known.start

    def seen(self) -> list[Seen]:
        """Return the live processes of the step."""
        everyone = self._group.processes.all()
        self._prune(everyone)
        return [one for one in everyone.values() if one.key == self.key or self._adopted(one.stat)]

    def _adopted(self, stat: Stat) -> bool:
        return stat.session in self._sessions or stat.pid in self._sessions

    def _prune(self, everyone: dict[int, Seen]) -> None:
        """Forget processes and sessions that have ended: their numbers may come back as somebody else's."""
        alive = {one.stat.session for one in everyone.values()} | everyone.keys()
        for session, start in list(self._sessions.items()):
            leader = everyone.get(session)
            if session not in alive or (leader is not None and leader.stat.start != start):
                del self._sessions[session]

    def pids(self) -> list[int]:
        """Return the processes of the step."""
        return [one.stat.pid for one in self.seen()]

    def usage(self) -> Usage:
        """Return what the live processes have used."""
        return usage_of(self.seen())

    def deaths(self) -> int:
        """Return none: they look like any other kill."""
        return 0

    def deaths_before(self) -> int:
        """Return none."""
        return 0

    def count_deaths_from(self, before: int) -> None:
        """Do nothing: there is no count."""

    def signal(self, sig: int) -> int:
        """Send a signal to all."""
        return signal_all(self._group.processes, self.pids, sig)

    def kill(self) -> None:
        """Kill all."""
        self.signal(signals.SIGKILL)

    def close(self) -> None:
        """Forget the leaf unless something is left of it."""
        self._group.drop(self)


class NoneGroup:
    """A job's processes."""

    path = ""

    def __init__(self, name: str, directory: str, processes: Processes) -> None:
        """Describe the group: there is nothing to make."""
        self.name = name
        self.key = f"{directory}/{name}"
        self.processes = processes
        self._leaves: dict[str, NoneLeaf] = {}
        self.leaf(PRIMARY)

    def leaf(self, step: int) -> Leaf:
        """Return a step's leaf."""
        return self._leaves.setdefault(str(step), NoneLeaf(self, step))

    def leaves(self) -> list[int]:
        """Return the steps that are known or have processes."""
        prefix = self.key + "/"
        marked = (one.key for one in self.processes.all().values() if one.key.startswith(prefix))
        steps = {*self._leaves, *(key[len(prefix) :] for key in marked)}
        return sorted(int(step) for step in steps if step.isdigit())

    def drop(self, leaf: NoneLeaf) -> None:
        """Forget a leaf that is done with."""
        if leaf.name != str(PRIMARY) and not leaf.pids():
            self._leaves.pop(leaf.name, None)

    def take(self, limits: Limits) -> None:
        """Do nothing: the spawner applies rlimits, and there are no counters."""

    def seen(self) -> list[Seen]:
        """Return the live processes."""
        prefix = self.key + "/"
        found = {one.stat.pid: one for one in self.processes.all().values() if (one.key + "/").startswith(prefix)}
        for leaf in self._leaves.values():
            found.update((one.stat.pid, one) for one in leaf.seen())
        return list(found.values())

    def usage(self) -> Usage:
        """Return what the live processes have used."""
        return usage_of(self.seen())

    def pids(self) -> list[int]:
        """Return the processes."""
        return [one.stat.pid for one in self.seen()]

    def signal(self, sig: int) -> int:
        """Send a signal to all."""
        return signal_all(self.processes, self.pids, sig)

    def freeze(self) -> bool:
        """Stop all."""
        self.signal(signals.SIGSTOP)
        return True

    def thaw(self) -> None:
        """Let all go on."""
        self.signal(signals.SIGCONT)

    def empty(self) -> bool:
        """Return whether no process is left."""
        return not self.seen()

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait on the pidfds of what is left."""
        return procs.wait_gone(lambda: fresh(self.processes, self.pids), timeout_s)

    def release(self, *, bare: bool = False) -> bool:
        """Kill what is left."""
        if bare:
            self._leaves = {str(PRIMARY): NoneLeaf(self, PRIMARY)}
        return bare or self._clear(_SETTLE_S)

    def remove(self) -> bool:
        """Kill what is left."""
        return self._clear(_REMOVE_S)

    def _clear(self, patience_s: float) -> bool:
        for _ in range(_KILL_ROUNDS):
            if self.empty():
                self._leaves = {str(PRIMARY): NoneLeaf(self, PRIMARY)}
                return True
            self.signal(signals.SIGKILL)
            self.wait_empty(patience_s)
        return False


def fresh(processes: Processes, members: Callable[[], list[int]]) -> list[int]:
    """Return the members as they are now, whatever was read in this turn."""
    processes.forget()
    return members()


def signal_all(processes: Processes, members: Callable[[], list[int]], sig: int) -> int:
    """Send a signal to all members, looking anew until no new one is found."""
    return procs.send(lambda: fresh(processes, members), sig)


def usage_of(seen: list[Seen]) -> Usage:
    """Return CPU time (with that of waited-for children) and the sum of the resident peaks."""
    cpu_s = sum(one.stat.cpu_ticks for one in seen) / os.sysconf("SC_CLK_TCK")
    return Usage(cpu_s, sum(_resident_peak(one.stat.pid) for one in seen), 0, len(seen))


def _resident_peak(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


class NoneDriver:
    """Job groups without cgroups."""

    name = "none"
    can_oom = False
    controllers: frozenset[str] = frozenset()

    def __init__(self, directory: str) -> None:
        """Take the name that tells this node's processes from those of others."""
        self._directory = directory
        self._processes = Processes()
        self._groups: dict[str, NoneGroup] = {}

    def home(self) -> list[int]:
        """Return none: there is nothing to come back from."""
        return []

    def group(self, name: str) -> JobGroup:
        """Return a group."""
        if name not in self._groups:
            self._groups[name] = NoneGroup(check_name(name), self._directory, self._processes)
        return self._groups[name]

    def existing(self) -> list[str]:
        """Return the groups of which a process is alive."""
        parts = (one.key.split("/") for one in self._processes.all().values())
        return sorted({part[1] for part in parts if len(part) > 1 and part[0] == self._directory})

    def tick(self) -> None:
        """Begin a turn: /proc is read once in it, at the first question."""
        self._processes.tick()

    def close(self) -> None:
        """Forget the groups."""
        self._groups.clear()

    def remove_all(self) -> bool:
        """Kill what is left of every group."""
        self._processes.forget()
        names = {*self.existing(), *self._groups}
        gone = [self.group(name).remove() for name in names]
        return all(gone)
