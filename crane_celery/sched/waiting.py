"""Decide who waits for whom, as the leader sees it: what an end concerns, whose turn it is by name, what can never
start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from heapq import heappop, heappush

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Facts
from crane_celery.model.job import NEVER
from crane_celery.sched.closure import Waiter, downstream
from crane_celery.sched.entry import Entry

#: whose, and what name
Name = tuple[int, str]
#: the leader asks at once when an element of a dependee block up to this size ends; in a larger one, when all have
_SMALL = 64


class Waiting:
    """Follows the entries of one view, which it does not change."""

    def __init__(self, entries: Mapping[int, Entry]) -> None:
        self._entries = entries
        self._watched: dict[int, dict[tuple[int, int], int]] = {}  # dependee -> (first, count) -> how many wait for it
        #: heaps of ids; those that are over, or bear another name now, lag behind
        self._named: dict[Name, list[int]] = {}
        self._singles: set[int] = set()  # submissions that wait for the earlier ones of their name
        self._never: list[tuple[float, int]] = []  # (time of the verdict, submission) of what can never start
        #: submissions whose turn has come, for the leader to ask about
        self.turn: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._watched)

    def __contains__(self, job: int) -> bool:
        """Return whether anything waits for this submission."""
        return job in self._watched

    def watch(self, entry: Entry) -> bool:
        """Note the blocks that a submission waits for, so that the leader need not ask after every end; whether there
        are any."""
        for block in entry.dep:
            if block.kind == "singleton":
                self._singles.add(entry.job.id)
            spans = self._watched.setdefault(block.job, {})
            spans[block.first, block.count] = spans.get((block.first, block.count), 0) + 1
        return bool(entry.dep)

    def unwatch(self, entry: Entry) -> None:
        """It waits no more."""
        self._singles.discard(entry.job.id)
        for block in entry.dep:
            spans = self._watched[block.job]
            spans[block.first, block.count] -= 1
            if not spans[block.first, block.count]:
                del spans[block.first, block.count]
            if not spans:
                del self._watched[block.job]
        entry.dep = ()

    def concerns(self, job: int, id: int, done: bool) -> bool:
        """Return whether anybody has to know at once that an element began or ended."""
        return any(first <= id < first + count and (count <= _SMALL or done) for first, count in self._watched[job])

    # -- singletons

    def name(self, entry: Entry) -> None:
        """A submission is there, among those of its name."""
        self.rename(entry, frozenset())

    def rename(self, entry: Entry, before: Set[Name]) -> None:
        """A submission that had these names has others now."""
        now = names_of(entry)
        for name in now - before:
            ids = self._named.setdefault(name, [])
            heappush(ids, entry.job.id)
            self._next(ids)
        for name in before - now:
            self._left(name)

    def over(self, entry: Entry) -> None:
        """A submission is over: the next of its name may go."""
        for name in names_of(entry):
            self._left(name)

    def _left(self, name: Name) -> None:
        """Somebody has left those of a name."""
        ids = self._named.get(name)
        if ids is None:
            return
        while ids and not self._bears(ids[0], name):
            heappop(ids)
        self._next(ids)
        if not ids:
            del self._named[name]

    def _bears(self, id: int, name: Name) -> bool:
        entry = self._entries.get(id)
        return entry is not None and name in names_of(entry)

    def _next(self, ids: list[int]) -> None:
        if ids and ids[0] in self._singles:
            self.turn.add(ids[0])

    def facts(self, job: int, facts: Facts) -> Facts:
        """The facts of a ``singleton``: it came true when no earlier submission of that user and name lives.

        What this view has not heard of yet is not judged; it gets its turn when it is heard of.
        """
        entry = self._entries.get(job)
        first = entry is not None and all(self._named.get(name, [])[:1] == [job] for name in names_of(entry))
        return facts._replace(ok=int(first))

    # -- what can never start

    def doom(self, entry: Entry) -> None:
        """Note a verdict that all or some of it can never start."""
        if (entry.ready == NEVER or entry.job.dead) and entry.spec.kill_on_invalid_dep != "no":
            heappush(self._never, (entry.job.judged_at, entry.job.id))

    @property
    def next_doom(self) -> float | None:
        """The time of the oldest such verdict."""
        return self._never[0][0] if self._never else None

    def hopeless(self, until: float) -> dict[int, RangeSet]:
        """Pending ranks that can never start by verdicts up to a time, each verdict once."""
        roots: dict[int, RangeSet] = {}
        while self._never and self._never[0][0] <= until:
            at, job = heappop(self._never)
            entry = self._entries.get(job)
            if entry is not None and entry.job.judged_at == at and (ranks := _lost_of(entry)):
                roots[job] = ranks
        return roots

    def lost(self, roots: Mapping[int, RangeSet]) -> dict[int, RangeSet]:
        """These ranks, and all pending ones that can never start without them."""
        return downstream(roots, self._waiters()) if roots else {}

    def _waiters(self) -> Iterator[Waiter]:
        for entry in self._entries.values():
            if entry.job.dep and entry.pending and entry.spec.kill_on_invalid_dep != "no":
                yield Waiter(entry.job.id, entry.job.dep, entry.pending, entry.job.count)


def _lost_of(entry: Entry) -> RangeSet:
    """Its pending ranks that can never start."""
    return entry.pending if entry.ready == NEVER else entry.pending & RangeSet.parse(entry.job.dead)


def names_of(entry: Entry) -> frozenset[Name]:
    """The names in force, each with whose it is; several where only some elements of an array were renamed."""
    uid = entry.job.spec.uid
    return frozenset((uid, part.spec.name) for part in entry.parts)
