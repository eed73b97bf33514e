"""``schedule(view, now, config) -> Plan``: in the order of priority, with rooms kept for those that find none.

Classes of equal requests are merged by a heap on (partition priority, priority, unit); among equal priorities users
take turns. A class starts what fits; for the heads of one that finds no room, rooms are kept in the future
(sched.timeline), and the rest of the class is passed over, and so is every class that asks for at least as much
(``Want.covers``); whoever is behind may start where that delays no kept room. Nodes are searched from where the class
last found room, since nothing is given back within a cycle. Classes that the last plan turned down are looked at again
only when some node that has given something back since could hold one of them; the rooms kept for them stay. Cost: a
few us for each start, one search for each class, and 0.3 us for each class that is not looked at again.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter

from crane_celery.model.job import Allocation
from crane_celery.model.states import Reason
from crane_celery.sched.carry import rooms_of
from crane_celery.sched.claims import Claims, Limit
from crane_celery.sched.clearing import Clearing
from crane_celery.sched.cursor import Cursor
from crane_celery.sched.draining import Drain, Drains
from crane_celery.sched.entry import Entry
from crane_celery.sched.licences import Licences
from crane_celery.sched.plan import Config, Placement, Plan, Why
from crane_celery.sched.pool import Pool
from crane_celery.sched.queue import PARTS, Class, Kind
from crane_celery.sched.reasons import lasting, shortfall
from crane_celery.sched.timeline import Hold, Timeline
from crane_celery.sched.view import View
from crane_celery.sched.want import Want

#: (negated partition priority, negated priority, unit): lower goes first
Rank = tuple[float, float, int]
#: a rank; a number, since classes have no order; the place in the class; the class
_Item = tuple[float, float, int, int, int, Class]
#: nothing but more room on nodes helps these
_FULL = (Reason.RESOURCES, Reason.NODES_DOWN, Reason.PARTITION)
#: classes that may get a drain now and are looked at for nothing else in one cycle
_HUNGRY = 16


class _Redo(Exception):
    """A job that is ahead of a reservation carried over needs one, or its nodes, now: make all reservations anew."""


def schedule(
    view: View, now: float, config: Config | None = None, last: Plan | None = None,
    drains: Sequence[Drain] = (), without: Container[Kind] = (),
) -> Plan:  # fmt: skip
    """The starts that fit now. Pure: plans on a copy of the pool and changes nothing of the view.

    ``now`` is server time: what is ready later than that does not start, whatever the view was last told. ``last``
    saves work and changes no start: a plan whose starts were all accepted, when ``view.pool.freed`` was cleared before
    they were, and has not been since. ``drains``: those of the last plan, whatever became of its starts.
    ``without``: classes that are left out.
    """
    try:
        return _Cycle(view, now, config or Config(), drains, without).run(last)
    except _Redo:
        return _Cycle(view, now, config or Config(), drains, without).run(None)


class _Cycle:
    """The scratch of one call."""

    def __init__(
        self, view: View, now: float, config: Config, drains: Sequence[Drain], without: Container[Kind]
    ) -> None:
        self._view = view
        self._queue = [each for each in view.queue if each.kind not in without] if without else view.queue
        self._entries = view.entries
        self._config = config
        self._now = now
        self._left = config.max_starts
        self._pool: Pool = view.pool.copy()
        self._timeline = Timeline(view.work.horizon, self._pool, now, config.budget)
        self._drains = Drains(config.draining, drains, view.entries, now)
        self._clearing = Clearing(self._timeline, self._pool, view.runs, now)
        self._choices = 2 * config.draining.jobs  # of nodes to drain, which cost most
        self._licences = Licences(config.licenses, view.work.licenses)
        self._limited = config.max_jobs > 0 or view.limited
        self._claims = Claims(view.work.active, view.work.active_in)
        self._cursors: dict[int, Cursor] = {}  # units of which a part has started in this cycle
        self._starts: list[Placement] = []
        self._holds: list[Hold] = []
        self._ahead = False  # whether the class in hand comes before a reservation carried over
        self._carried: tuple[float, float] | None = None  # the last priority whose rooms come from the last plan
        self._blocked: dict[Kind, Why] = {}  # classes that cannot start
        self._rooms: dict[Kind, int] = {}  # rooms kept in this cycle, by class
        self._stuck = False  # nobody may pass the one that found no room
        self._least: dict[Want, Why] = {}  # wants that found no room, of which none covers another
        self._from: dict[Want, int] = {}  # want -> node where it last found room
        self._taken: dict[int, int] = {}  # submissions with a throttle -> elements started in this cycle
        self._parts: dict[tuple[int, Want], Allocation] = {}

    def run(self, last: Plan | None) -> Plan:
        """Go through the queue until it, the room or the budget is used up."""
        classes = self._hopeful(last) if last else iter(self._queue)
        heap: list[_Item] = [(*self._rank(c, 0), n, 0, c) for n, c in enumerate(classes)]
        heapify(heap)
        while heap and self._left > 0:
            self._round(heap)
        partial = bool(heap) and not self._stuck
        drains = [*self._drains.made.values(), *(self._drains.rest() if partial else ())]
        return Plan(self._starts, self._blocked, partial, self._holds, drains, self._drains.hungry, bool(heap))

    def _rank(self, found: Class, at: int) -> Rank:
        """Return where the unit at this place of its class stands now."""
        unit = found.ids[at]
        entry = self._entries[unit // PARTS]
        value = self._config.ranking.value(entry.job, entry.parts[unit % PARTS].spec, self._now)
        return -found.kind.partition, -value, unit

    def _round(self, heap: list[_Item]) -> None:
        """All that stands first with one priority: users take turns, the one with the fewest elements at work first."""
        top = heap[0][:2]
        users: dict[int, list[_Item]] = {}
        while heap and heap[0][:2] == top:
            item = heappop(heap)
            users.setdefault(item[-1].kind.uid, []).append(item)  # popped in order, so each is a heap
        self._first(users, heap)
        turns = [(self._claims.active.get(uid, 0), items[0][2], uid) for uid, items in users.items() if items]
        heapify(turns)
        while turns and self._left > 0:
            active, unit, uid = heappop(turns)
            most = max(1, turns[0][0] - active + (unit < turns[0][1])) if turns else self._left
            items = users[uid]
            self._turn(items, min(most, self._left), heap)
            if items:
                heappush(turns, (self._claims.active.get(uid, 0), items[0][2], uid))
        for _, _, uid in turns:
            for item in users[uid]:
                heappush(heap, item)

    def _first(self, users: dict[int, list[_Item]], heap: list[_Item]) -> None:
        """Those that nodes are drained for go before their equals: turns would give away what was waited for."""
        for kind, units in self._drains.kinds.items():
            items = users.get(kind.uid, [])
            mine = next((item for item in items if item[-1].kind == kind and item[2] in units), None)
            if mine is not None and self._left > 0:
                items.remove(mine)
                heapify(items)
                one = [mine]
                self._turn(one, 1, heap)
                for item in one:
                    heappush(items, item)

    def _turn(self, items: list[_Item], most: int, heap: list[_Item]) -> None:
        """Start up to so many elements of one user, in the order of submission. A class whose next submission has a
        lower priority goes back to the heap."""
        until = self._left - most
        while items and self._left > until:
            _, _, _, number, at, found = heappop(items)
            at = self._drain(found, at, items[0][2] if items else None, until)
            if at < len(found.ids):
                item = (*self._rank(found, at), number, at, found)
                heappush(items if not items or item[:2] == items[0][:2] else heap, item)

    def _hopeful(self, last: Plan) -> Iterator[Class]:
        """The classes worth looking at: new ones, and those that fit on a node that has given something back."""
        pool = self._view.pool
        kept, given_up = rooms_of(last.holds, self._entries)
        freed = pool.freed | given_up
        self._drains.stir({pool.names[at] for at in freed})
        cpu = max((pool.cpu[at] for at in freed), default=0)
        memory = max((pool.memory[at] for at in freed), default=0)
        if given_up:
            self._drains.stirred.update(self._view.pool.members)
        carried: list[tuple[Rank, Class, list[Hold]]] = []
        hungry: list[tuple[Rank, Class, list[Hold]]] = []
        for each in self._queue:
            want, rooms = each.want, kept.get(each.kind, [])
            why = last.blocked.get(each.kind)
            # what was given back may make a room earlier, and so leave another to whoever it was kept from
            moved = freed and why is not None and (rooms or why.reason not in _FULL)
            due = any(hold.start <= self._now and not hold.unknown for hold in rooms) or self._drains.is_due(each.kind)
            if why is None or moved or due or not (want.cpu > cpu or want.memory > memory):
                yield each
            elif each.kind in last.hungry and self._drains.stirs(want.partition):
                hungry.append((self._rank(each, 0), each, rooms))
            else:
                self._skip(each, why, each.kind in last.hungry)
                if rooms:
                    carried.append((self._rank(each, 0), each, rooms))
        hungry.sort(key=itemgetter(0))
        for _, found, _ in hungry[:_HUNGRY]:
            yield found
        for rank, found, rooms in hungry[_HUNGRY:]:
            self._skip(found, last.blocked[found.kind], True)
            carried.append((rank, found, rooms))
        for rank, found, rooms in sorted(carried, key=itemgetter(0)):
            self._carry(found, rooms, rank[:2])

    def _skip(self, found: Class, why: Why, hungry: bool) -> None:
        """A class is not looked at: it is blocked as before."""
        self._blocked[found.kind] = why
        if hungry:
            self._drains.hungry.add(found.kind)

    def _carry(self, found: Class, rooms: list[Hold], rank: tuple[float, float]) -> None:
        """Keep the rooms that the last plan kept for a class."""
        for hold in rooms:
            self._keep(hold)
            drain = self._drains.of(hold.job, hold.rank)
            if hold.unknown and drain is not None:
                self._drains.keep(found.kind, drain, len(hold.nodes))
            elif drain is not None and drain.room:
                self._drains.stand(found.kind, hold.job, hold.rank)
            self._carried = max(self._carried or rank, rank)

    def _drain(self, found: Class, at: int, before: int | None, until: int) -> int:
        """Start submissions of a class that came ``before`` another one, while more than ``until`` starts are left;
        returns where it stopped (its end: no room)."""
        ids, want = found.ids, found.want
        less = next((each for each in self._least if each.covers(want)), None)
        if less is not None:
            self._blocked.setdefault(found.kind, lasting(self._pool, want) or self._least[less])
            return at + 1 if self._reserve(found, at) else len(ids)
        first = self._rank(found, at)[:2]
        self._ahead = self._carried is not None and first < self._carried
        while at < len(ids) and self._left > until and (before is None or ids[at] < before):
            why, over = self._place_unit(ids[at], want, self._left - until)
            if why is not None:
                return at + 1 if self._block(found, at, why) else len(ids)
            at += over
            if over and at < len(ids) and self._rank(found, at)[:2] != first:
                return at
        return at

    def _place_unit(self, unit: int, want: Want, most: int) -> tuple[Why | None, bool]:
        """Start up to so many elements of a part. Why one of them could not; whether nothing more of it may start."""
        job, number = divmod(unit, PARTS)
        entry = self._entries[job]
        part = entry.parts[number]
        if not 0 <= entry.ready <= self._now or part.spec.begin > self._now:
            return None, True
        cursor = self._cursors.get(unit) or Cursor(entry.startable(part))
        while cursor.rank is not None and entry.room > self._taken.get(job, 0):
            if most <= 0:
                self._cursors[unit] = cursor
                return None, False
            why = self._place(entry, cursor.rank, want)
            if why is not None:
                return why, True
            cursor.step()
            most -= 1
        return None, True

    def _place(self, entry: Entry, rank: int, want: Want) -> Why | None:
        """Start one element; why not, where there is no room for it."""
        if self._limited or want.licenses:
            why = self._limit(entry, want) or self._licences.lack(want.licenses, self._until(want))
            if why is not None:
                return why
        nodes = self._pool.find(want, self._from.get(want, 0), self._kept if self._timeline.holds else None)
        if self._ahead and nodes != self._pool.find(want, self._from.get(want, 0)):
            raise _Redo
        if len(nodes) < want.nodes:
            return shortfall(self._pool, want)
        self._from[want] = nodes[0]
        nodes = self._pool.by_name(nodes) if len(nodes) > 1 else nodes
        parts = tuple([self._part(at, want) for at in nodes])
        if want.licenses:
            parts = self._licences.take(want.licenses, parts, self._until(want))
        self._pool.take(parts)
        self._timeline.started(nodes, parts, want.limit)
        self._starts.append(Placement(entry.job.id, rank, entry.next_run(rank), parts))
        self._left -= 1
        self._claims.count(entry.job.spec.uid, entry.job.spec.partition)
        if entry.spec.throttle:
            self._taken[entry.job.id] = self._taken.get(entry.job.id, 0) + 1
        if self._drains.kinds:
            self._drains.started(entry.job.id, rank)
        return None

    def _kept(self, at: int, want: Want) -> bool:
        """Return whether the rooms kept on a node leave room from now on."""
        return at not in self._timeline.holds or self._timeline.clear(at, want, self._now)

    def _until(self, want: Want) -> float:
        """When a run that starts now is over at the latest."""
        return self._now + want.limit if want.limit else inf

    def _limit(self, entry: Entry, want: Want) -> Why | None:
        """Return whether its user has as many elements at work as allowed."""
        uid, partition = entry.job.spec.uid, want.partition
        limits = Limit(uid, self._config.max_jobs), Limit((uid, partition), self._view.max_jobs(partition))
        return self._claims.lack(limits, self._until(want))

    def _part(self, at: int, want: Want) -> Allocation:
        """Return what it gets on a node; equal ones are one object, unless slots are named."""
        if want.gres:
            return self._pool.part(at, want)
        part = self._parts.get((at, want))
        if part is None:
            part = self._parts[at, want] = self._pool.part(at, want)
        return part

    # -- what finds no room

    def _block(self, found: Class, at: int, why: Why) -> bool:
        """Nothing more of a class starts; whether rooms are to be kept for those behind its head, in their turn."""
        want, full = found.want, why.reason in (Reason.RESOURCES, Reason.RESERVED)
        why = (lasting(self._pool, want) or why) if full else why
        self._blocked.setdefault(found.kind, why)
        if not self._config.backfill:
            self._left, self._stuck = 0, True
            return False
        if why.reason is Reason.LICENSES:
            self._claim_licences(found, at)
        if not full:
            return False  # no room would help
        self._least = {other: said for other, said in self._least.items() if not want.covers(other)} | {want: why}
        return self._reserve(found, at)

    def _head(self, found: Class, at: int) -> tuple[Entry, Cursor]:
        """The submission at a place of a class, and its elements that have not started."""
        unit = found.ids[at]
        entry = self._entries[unit // PARTS]
        return entry, self._cursors.get(unit) or Cursor(entry.startable(entry.parts[unit % PARTS]))

    def _claim_licences(self, found: Class, at: int) -> None:
        """Withhold licences from those behind one that waits for them."""
        entry, cursor = self._head(found, at)
        on = self._config.rooms and self._config.draining.jobs
        if on and cursor.rank is not None and self._licences.claim(found.want.licenses, 0.0):
            self._drains.note(Drain(entry.job.id, cursor.rank, found.want.partition, self._now))

    def _reserve(self, found: Class, at: int) -> bool:
        """Keep rooms for the elements of one unit; False where none will be kept for those of its class behind it."""
        config, kind = self._config, found.kind
        if (
            len(self._holds) >= config.rooms
            or (self._timeline.spent and self._holds)
            or self._rooms.get(kind, 0) >= config.rooms_of_class
        ):
            return False
        if self._carried is not None and self._rank(found, at)[:2] < self._carried:
            raise _Redo
        entry, cursor = self._head(found, at)
        first = cursor.rank
        while cursor.rank is not None and self._rooms.get(kind, 0) < config.rooms_of_class:
            room = self._timeline.earliest(found.want)
            if room is None:
                return cursor.rank == first and self._clear(found, entry, cursor.rank, inf)
            start, nodes = room
            end = start + found.want.limit if found.want.limit else inf
            self._keep(Hold(entry.job.id, cursor.rank, start, end, nodes, found.want))
            self._rooms[kind] = self._rooms.get(kind, 0) + 1
            if cursor.rank == first:
                self._drains.stand(kind, entry.job.id, first)
                if start > self._now + config.draining.beyond_s and self._timeline.endless:
                    self._clear(found, entry, first, start - config.draining.beyond_s)
            cursor.step()
        return True

    def _clear(self, found: Class, entry: Entry, rank: int, before: float) -> bool:
        """Drain nodes towards one element, where it may start ``before`` then; whether that came of it."""
        want, kind, clearing = found.want, found.kind, self._clearing
        drain = self._drains.admit(kind, entry.job.id, rank, len(self._pool.members.get(want.partition, ())))
        if drain and not drain.nodes and self._choices <= 0:
            self._drains.keep(kind, drain, 0)  # in the next cycle
            return False
        self._choices -= bool(drain and not drain.nodes)
        nodes = clearing.nodes(drain, self._drains.of(drain.job, drain.rank), want) if drain else None
        known = clearing.begin(nodes, want) if nodes else inf
        if drain is None or nodes is None or known >= before:
            self._drains.hungry.add(kind)
            return False
        if not drain.nodes:
            lasts = clearing.lasts(nodes, want)
            old = self._drains.of(entry.job.id, rank)
            begin = drain.begin or self._now + self._config.draining.patience * lasts
            if not (old and old.nodes) and self._now < begin:
                self._drains.keep(kind, drain._replace(begin=begin), 0)
                return False
            # fixed for a choice, or those that slip in would put it off for ever
            drain = drain._replace(since=self._now, begin=self._now + lasts)
        self._keep(Hold(entry.job.id, rank, max(drain.begin, known), inf, nodes, want, True))
        self._rooms[kind] = self._rooms.get(kind, 0) + 1
        names = tuple([self._pool.names[at] for at in nodes])
        self._drains.keep(kind, drain._replace(nodes=names), len(nodes))
        return True

    def _keep(self, hold: Hold) -> None:
        self._holds.append(hold)
        self._timeline.keep(hold)
        entry, want = self._entries[hold.job], hold.want
        self._claims.claim(entry.job.spec.uid, want.partition, hold.start)
        if want.licenses:
            self._licences.claim(want.licenses, hold.start)
        if hold.unknown and entry.spec.throttle:
            self._taken[hold.job] = self._taken.get(hold.job, 0) + 1
