"""Which nodes are drained towards a job: those where it has to wait for the least. Pure.

Nobody knows when a run without a time limit ends; one that has run for long is likely to run for long again, so it is
expected to run as long as it has run. A node is judged by the longest of the runs that have to end there (in steps of
one minute, two, four, ...), then by how many they are. At most ``_LOOK`` nodes are looked at, from another one on at
each further choice; a suspended run is expected to end last of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from itertools import chain, islice
from math import inf

from crane_celery.sched.draining import PATIENCE_S, Drain
from crane_celery.sched.entry import Run
from crane_celery.sched.feasible import gres_on
from crane_celery.sched.horizon import Release
from crane_celery.sched.pool import Pool
from crane_celery.sched.timeline import Timeline, could_hold, less
from crane_celery.sched.want import MILLI, Want

#: nodes that a choice looks at
_LOOK = 64


class Clearing:
    """Looks at the nodes of one cycle."""

    def __init__(self, timeline: Timeline, pool: Pool, runs: Mapping[int, Run], now: float) -> None:
        """``pool``: what is free at this point of the cycle."""
        self._timeline = timeline
        self._pool = pool
        self._runs = runs
        self._now = now

    def nodes(self, drain: Drain, last: Drain | None, want: Want) -> tuple[int, ...] | None:
        """The nodes of a drain as long as they will do, or others; None when there are none, or none need be drained.
        ``last``: the drain as it was."""
        number = self._pool.number
        before = [number[name] for name in last.nodes if name in number] if last else []
        if drain.nodes and len(before) == want.nodes and all(self.holds(at, want) for at in before):
            return self.better(before, want)
        found = self.choose(want, drain.tries, before)
        return None if found and want.nodes == 1 and self._by_any(found[0], want) else found

    def choose(self, want: Want, tries: int = 0, before: Iterable[int] = ()) -> tuple[int, ...] | None:
        """The nodes to drain; None when too few could ever hold it beside what is kept for those ahead. ``before``:
        those of the last choice, which are looked at whatever happens."""
        found: dict[int, tuple[int, int, int]] = {}
        for at in chain(before, self._candidates(want, tries)):
            ids = self.waits(at, want) if self._could(at, want) else None
            if ids is not None:
                found[at] = _step(max((self._expected(id) for id in ids), default=0.0)), len(ids), at
                if len(found) >= max(_LOOK, 2 * want.nodes):
                    break
        if len(found) < want.nodes:
            return None
        return tuple(sorted(at for _, _, at in nsmallest(want.nodes, found.values())))

    def better(self, nodes: Sequence[int], want: Want) -> tuple[int, ...]:
        """These nodes; those of several that still wait for runs are changed for others that have room by now."""
        if want.nodes == 1:
            return tuple(nodes)
        ready = [at for at in nodes if not self.waits(at, want)]
        others = (at for at in self._pool.fitting(want) if at not in nodes and self.waits(at, want) == [])
        ready += islice(others, want.nodes - len(ready))
        waiting = [at for at in nodes if at not in ready]
        return tuple(sorted([*ready, *waiting[: want.nodes - len(ready)]]))

    def _candidates(self, want: Want, tries: int) -> list[int]:
        """The nodes of its partition, from another one on at each try."""
        members = sorted(self._pool.members.get(want.partition, ()))
        first = tries * _LOOK % len(members) if members else 0
        return members[first:] + members[:first]

    def _could(self, at: int, want: Want) -> bool:
        """Return whether a node is open and, empty, could hold it."""
        return self._pool.is_open(at) and could_hold(self._pool.nodes[at], want)

    def _by_any(self, at: int, want: Want) -> bool:
        """Return whether the end of any run on a full node gives it room: there is nothing to be gathered, and so
        to keep."""
        return (
            self._pool.cpu[at] == 0
            and not (want.exclusive or want.gres or want.whole_memory or at in self._timeline.holds)
            and all(
                each.cpu >= want.cpu and self._pool.memory[at] + each.memory >= want.memory
                for _, each in self._timeline.releases(at)
            )
        )

    def holds(self, at: int, want: Want) -> bool:
        """Return whether a node may still be drained for it."""
        return at in self._pool.members.get(want.partition, ()) and self._could(at, want) and self._beside(at, want)

    def _beside(self, at: int, want: Want) -> bool:
        """Return whether it fits beside the rooms kept there, once nothing runs."""
        spec, kept = self._pool.nodes[at].spec, self._timeline.holds.get(at, ())
        if kept and (want.exclusive or any(hold.want.exclusive for hold in kept)):
            return False
        slots = dict(spec.gres)
        for hold in kept:
            slots = less(slots, hold.want)
        return (
            round(spec.cpus * MILLI) - sum(hold.want.cpu for hold in kept) >= want.cpu
            and spec.memory - self._kept_memory(at) >= self._pool.memory_for(at, want)
            and all(gres_on(slots, name) >= count for name, count in want.gres)
        )

    def waits(self, at: int, want: Want) -> list[int] | None:
        """The runs that have to end on a node before it has room, those first that are expected to end first; None
        when it would have none even then. Starts of this cycle have negative numbers."""
        if not self._beside(at, want):
            return None
        runs = sorted(self._timeline.releases(at), key=lambda item: (self._expected(item[0]), item[0]))
        count = self._needed(at, want, [release for _, release in runs], [])
        return None if count is None else [id for id, _ in runs[:count]]

    def _needed(self, at: int, want: Want, runs: list[Release], gone: list[Release]) -> int | None:
        """Return how many of these, in their order, have to end beside those that are ``gone``, until it has room."""
        kept = self._timeline.holds.get(at, ())
        cpu = self._pool.cpu[at] + sum(each.cpu for each in gone) - sum(hold.want.cpu for hold in kept)
        memory = self._pool.memory[at] + sum(each.memory for each in gone) - self._kept_memory(at)
        need = self._pool.memory_for(at, want)
        for count in range(len(runs) + 1):
            if count:
                cpu, memory = cpu + runs[count - 1].cpu, memory + runs[count - 1].memory
            if cpu < want.cpu or memory < need or (want.exclusive and count < len(runs)):
                continue
            if not want.gres or self._has_slots(at, want, gone + runs[:count]):
                return count
        return None

    def _kept_memory(self, at: int) -> int:
        """Memory of the rooms that are kept on a node."""
        return sum(self._pool.memory_for(at, hold.want) for hold in self._timeline.holds.get(at, ()))

    def _has_slots(self, at: int, want: Want, gone: list[Release]) -> bool:
        slots = {
            name: sum(1 for users in held if not users) + sum(len(each.gres.get(name, ())) for each in gone)
            for name, held in self._pool.slots[at].items()
        }
        for hold in self._timeline.holds.get(at, ()):
            slots = less(slots, hold.want)
        return all(gres_on(slots, name) >= count for name, count in want.gres)

    def _expected(self, id: int) -> float:
        """Seconds that a run is expected to go on."""
        run = self._runs.get(id)
        if run is None:
            return 0.0
        if run.suspended:
            return inf
        return max(0.0, min(self._now - run.since, run.end - self._now))

    def lasts(self, nodes: Iterable[int], want: Want) -> float:
        """Seconds that what it waits for is expected to go on; suspended runs left aside."""
        ids = {id for at in nodes for id in self.waits(at, want) or ()}
        return max((seconds for seconds in map(self._expected, ids) if seconds < inf), default=0.0)

    def begin(self, nodes: tuple[int, ...], want: Want) -> float:
        """Server time before which it cannot start there, by the runs whose end is known; 0 = at once, if the others
        end. Whoever is over by then may use the nodes."""
        return max(self._earliest(at, want) for at in nodes)

    def _earliest(self, at: int, want: Want) -> float:
        runs = [release for _, release in self._timeline.releases(at)]
        gone = [release for release in runs if release.end == inf]
        known = sorted((release for release in runs if release.end < inf), key=lambda release: release.end)
        count = self._needed(at, want, known, gone)
        return known[count - 1].end if count else 0.0


def _step(seconds: float) -> int:
    """Times that differ by less than a factor of two count as equal."""
    return 99 if seconds == inf else int(seconds / PATIENCE_S).bit_length()
