"""Which jobs nodes are drained for, within limits, and for how long the same nodes. Pure.

A job that finds no room is given one on nodes where nobody knows when what runs there ends: nothing else starts there
that would delay it, so each end brings it nearer. The nodes stay the same for a minute, then twice as long, and so on
(``Drain.tries``): a choice that waits for a run of days is given up, and one that only takes long is not. The leader
hands the drains of one plan on to the next, so that nodes neither change from cycle to cycle nor stay drained for a
job that is gone.

Where all drains of a partition wait in vain, one more job has its turn: a job that fits only where a run never ends
must not keep the others from draining nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from crane_celery.model.weights import Draining
from crane_celery.sched.entry import Entry
from crane_celery.sched.queue import Kind

#: seconds that a first choice of nodes is kept
PATIENCE_S = 60.0
#: and so many times as long as what it waits for was expected to go on
_PATIENCE = 4.0
_MOST_TRIES = 20


class Drain(NamedTuple):
    """Nodes drained towards one element. Without nodes: they will be, if it finds no room in the time that it takes;
    or licences are withheld for it."""

    job: int
    rank: int
    partition: str
    since: float  # server time of this choice of nodes
    tries: int = 0  # choices given up before
    nodes: tuple[str, ...] = ()
    #: it is not expected to start before, so what is over by then may use the nodes; without nodes: when there are some
    begin: float = 0.0
    turn: bool = False  # it has its turn because those ahead wait in vain
    room: bool = False  # no node is drained: the start is known, and only its place among its equals is kept

    @property
    def over(self) -> float:
        """When another choice is made, unless it has started."""
        return self.since + 2.0**self.tries * max(PATIENCE_S, _PATIENCE * (self.begin - self.since))


class Drains:
    """The drains of one cycle: asked for in the order of priority."""

    def __init__(self, limits: Draining, known: Sequence[Drain], entries: Mapping[int, Entry], now: float) -> None:
        """``known``: those of the last plan; what waits no more is forgotten."""
        self._limits = limits
        self._now = now
        self.made: dict[tuple[int, int], Drain] = {}
        #: classes that got none, and may get one when another is over
        self.hungry: set[Kind] = set()
        #: partitions in which one is over, or was given up
        self.stirred: set[str] = set()
        #: classes that have one, with the units that it is for
        self.kinds: dict[Kind, set[int]] = {}
        self._due: set[Kind] = set()  # of these, those that wait for a choice of nodes, or for licences
        self._known: dict[tuple[int, int], Drain] = {}
        self._ended: dict[str, Drain] = {}  # turns that ran out, by partition, until another job has it
        self._passed: set[str] = set()  # partitions where the job whose turn ran out was looked at
        self._turns: set[str] = set()  # partitions in which a job has its turn
        self._jobs: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()
        self._rooms: Counter[str] = Counter()
        self._rooms_of: Counter[Kind] = Counter()
        self._vain: Counter[str] = Counter()
        self._classes: Counter[Kind] = Counter()
        for each in known:
            self._remember(each, entries.get(each.job))

    def _remember(self, drain: Drain, entry: Entry | None) -> None:
        if drain.nodes and drain.over <= self._now:
            self.stirred.add(drain.partition)
            if drain.turn:
                self._ended[drain.partition] = drain
        if entry is None or drain.rank not in entry.free:
            self.stirred.add(drain.partition)
            return
        place = entry.part_of(drain.rank).queued
        if place is None:
            self.stirred.add(drain.partition)
            return
        self._known[drain.job, drain.rank] = drain
        self.kinds.setdefault(place.kind, set()).add(place.unit)
        if not (drain.nodes or drain.room):
            self._due.add(place.kind)

    def stir(self, nodes: Set[str]) -> None:
        """Something was given back on these nodes: what they are drained for may start, and leave others a drain."""
        for drain in self._known.values():
            if not nodes.isdisjoint(drain.nodes):
                self.stirred.add(drain.partition)

    def started(self, job: int, rank: int) -> None:
        """It has found room."""
        self._known.pop((job, rank), None)

    def stirs(self, partition: str) -> bool:
        """Return whether a class of a partition that got none may get one now."""
        live = any(each.partition == partition and not each.room for each in self._known.values())
        return partition in self.stirred or not live

    def is_due(self, kind: Kind) -> bool:
        """Return whether a class is to be looked at for the drain that it has: the choice is over, or none is made
        yet."""
        return kind in self._due or (kind in self.kinds and kind.want.partition in self.stirred)

    def rest(self) -> list[Drain]:
        """The drains that this cycle has not come to: they go on."""
        return [drain for key, drain in self._known.items() if key not in self.made]

    def of(self, job: int, rank: int) -> Drain | None:
        """The drain of an element in the last plan."""
        return self._known.get((job, rank))

    def admit(self, kind: Kind, job: int, rank: int, members: int) -> Drain | None:
        """The drain that an element may have: the one it had, a new one, or one whose nodes are to be chosen anew (it
        names none). None: those ahead of it have all there are. ``members``: nodes of its partition."""
        limits, want, partition = self._limits, kind.want, kind.want.partition
        known = self._known.get((job, rank))
        self._pass(known)
        if limits.jobs < 1 or any(key[0] == job and not drain.room for key, drain in self.made.items()):
            self.hungry.add(kind)
            return None
        most = max(1, members * limits.share // 100)
        few = not self._jobs[partition] or self._nodes[partition] + want.nodes <= most
        mine = self._classes[kind] < max(1, limits.jobs // 2)
        if few and mine and self._jobs[partition] < limits.jobs:
            return self._again(known, Drain(job, rank, partition, self._now))
        if self._may_turn(partition, known):
            ended = self._ended.get(partition)
            return self._again(known, Drain(job, rank, partition, self._now, ended.tries if ended else 0, turn=True))
        self.hungry.add(kind)
        return None

    def _again(self, known: Drain | None, new: Drain) -> Drain:
        """The drain as it goes on."""
        if known is None or known.turn != new.turn or known.room:
            return new
        if not known.nodes:
            return new._replace(since=known.since, begin=known.begin)
        if known.over > self._now:
            return known
        return new._replace(tries=min(known.tries + 1, _MOST_TRIES))

    def _pass(self, known: Drain | None) -> None:
        if known is not None and known.turn and known.over <= self._now:
            self._passed.add(known.partition)

    def _may_turn(self, partition: str, known: Drain | None) -> bool:
        """Return whether a job may have its turn: all ahead of it wait in vain, and it comes after the one that had
        it."""
        if partition in self._turns or not self._jobs[partition] or self._vain[partition] < self._jobs[partition]:
            return False
        if known is not None and known.turn:
            return known.over > self._now
        others = any(drain.turn and drain.partition == partition for drain in self._known.values())
        return not others or partition in self._passed

    def note(self, drain: Drain) -> None:
        """Note one that takes up no place: it waits for licences."""
        known = self._known.get((drain.job, drain.rank))
        self.made[drain.job, drain.rank] = known._replace(nodes=(), room=False) if known else drain

    def stand(self, kind: Kind, job: int, rank: int) -> None:
        """One whose start is known keeps its place among its equals: as many as nodes are drained for at most."""
        partition, most = kind.want.partition, self._limits.jobs
        few = self._rooms[partition] < most and self._rooms_of[kind] < max(1, most // 2)
        if few and all(key[0] != job for key in self.made):
            self._rooms[partition] += 1
            self._rooms_of[kind] += 1
            known = self._known.get((job, rank))
            self.made[job, rank] = known if known and known.room else Drain(job, rank, partition, self._now, room=True)

    def keep(self, kind: Kind, drain: Drain, wide: int) -> None:
        """Note a drain of this cycle. ``wide``: nodes that it has."""
        self.made[drain.job, drain.rank] = drain
        self._classes[kind] += 1
        self._nodes[drain.partition] += wide
        if drain.turn:
            self._turns.add(drain.partition)
        else:
            self._jobs[drain.partition] += 1
            self._vain[drain.partition] += drain.tries > 0
