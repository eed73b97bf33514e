"""The scheduler's memory: every live submission, run and node, kept current by events. No IO, no clock.

Applying an event twice, or one whose effect the snapshot already held, changes nothing (store.api.Snapshot): starts
are known by (id, run), ranks are sets, nodes are replaced. What an event asks of the leader beside bookkeeping
(questions to put, kills and launches to send) gathers in ``todo``, which the leader takes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.asjson import allocation_from_json, job_from_json, node_from_json
from crane_celery.model.dependency import undecided
from crane_celery.model.event import Event, ends, starts
from crane_celery.model.job import Allocation
from crane_celery.model.node import NodeState, Partition
from crane_celery.model.overrides import updated
from crane_celery.model.states import PRIMARY_STEP, State
from crane_celery.sched.entry import Entry, Part, Run, blocks_in_force, parts_of, ranks
from crane_celery.sched.pool import Pool
from crane_celery.sched.queue import PARTS, Kind, Place, Queue
from crane_celery.sched.strays import Strays
from crane_celery.sched.todo import Todo
from crane_celery.sched.waiting import Waiting, names_of
from crane_celery.sched.work import Work


class View:
    """All that is alive. ``entries`` by job id, ``runs`` by plain id, ``starting``: node -> id -> run not begun."""

    def __init__(self, partitions: Mapping[str, Partition]) -> None:
        self.pool = Pool(partitions)
        self.work = Work(self.pool)
        #: something changed that makes rooms of an earlier plan void; whoever plans clears it
        self.unsettled = False
        self.queue = Queue()
        self.entries: dict[int, Entry] = {}
        self.runs: dict[int, Run] = {}
        self.starting: dict[str, dict[int, Run]] = {}
        self.todo = Todo()
        #: runs whose submission could not be taken
        self.strays = Strays(self.pool)
        #: records of the snapshot that could not be taken, and why
        self.passed_over: list[tuple[str, Exception]] = []
        self._partitions = partitions
        #: whether any partition limits the elements of one user at once
        self.limited = any(each.max_jobs for each in partitions.values())
        self._later: list[tuple[float, int]] = []  # (ready, job) in the future
        self.waits = Waiting(self.entries)
        self._now = self._at = 0.0
        self._verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "submit": self._submit,
            "judge": self._judge,
            "depend": self._depend,
            "hold": lambda data: self._hold(data, True),
            "release": lambda data: self._hold(data, False),
            "update": self._update,
            "again": self._again,
            "revive": self._revive,
            "order": self._order_run,
            "move": self._move,
            "cancel": self._cancel,
            "start": self._start,
            "begin": self._begin,
            "end": self._end,
            "kill": self._kill,
            "kill_step": self._kill_step,
            "node": self._node,
            "nudge": self._nudge,
        }

    # -- what the leader calls ------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Follow one event; kinds that do not concern scheduling are passed over."""
        verb = self._verbs.get(event.kind)
        if verb is not None:
            self._at = event.at
            verb(event.data)

    def started(
        self, starts: Iterable[tuple[int, int, int, tuple[Allocation, ...]]], guests: Container[int] = ()
    ) -> list[Run]:
        """The store accepted these (job, rank, run, allocation), of which some ids have ``guests``: hold their
        resources. Returns those not known yet."""
        made: list[Run] = []
        gone: dict[int, list[int]] = {}
        for job, rank, number, parts in starts:
            run = self.hold_run(Run(job + rank, job, rank, number, parts))
            if run is not None:
                run.guests = run.id in guests
                made.append(run)
                gone.setdefault(job, []).append(rank)
        for job, numbers in gone.items():
            self._drop(job, RangeSet.of(numbers))
        return made

    def advance(self, now: float) -> None:
        """Let time pass: what has become ready is queued."""
        self._now = max(self._now, now)
        while self._later and self._later[0][0] <= self._now:
            entry = self.entries.get(heappop(self._later)[1])
            if entry is not None:
                self.todo.due = True
                self._settle(entry)

    @property
    def next_ready(self) -> float | None:
        """The next time at which something becomes ready; None when nothing waits for a time."""
        return self._later[0][0] if self._later else None

    @property
    def watches(self) -> bool:
        """Return whether any submission waits for a dependency."""
        return bool(self.waits)

    def take_todo(self) -> Todo:
        """Return what events asked for since the last call."""
        todo, self.todo = self.todo, Todo()
        return todo

    def pending(self) -> Iterable[Entry]:
        """Submissions that have pending ranks."""
        return (entry for entry in self.entries.values() if entry.pending)

    # -- events ---------------------------------------------------------------------------------------------------

    def _submit(self, data: dict[str, Any]) -> None:
        job = job_from_json(data["job"])
        if job.id not in self.entries:
            self.entries[job.id] = Entry(job)
            self.arrange(self.entries[job.id])

    def _judge(self, data: dict[str, Any]) -> None:
        rows = data["rows"]
        deps, gates = data.get("deps") or [""] * len(rows), data.get("gates") or [("", "")] * len(rows)
        for (job, ready), dep, (corr, dead) in zip(rows, deps, gates, strict=True):
            entry = self.entries.get(job)
            if entry is not None:
                entry.judged(ready, self._at, dep, corr, dead)
                if not undecided(dep, ready, self._at, corr):
                    self.waits.unwatch(entry)
                elif not entry.dep:  # a requeue of what it waits for took the verdict back
                    entry.dep, self.todo.ask = blocks_in_force(entry.job), True
                    self.waits.watch(entry)
                self.waits.doom(entry)
                self._settle(entry)

    def _depend(self, data: dict[str, Any]) -> None:
        entry = self.entries.get(data["job"])
        if entry is not None:
            self.waits.unwatch(entry)
            self._unqueue(entry)
            entry.depend(data)
            self._watch(entry)
            self._settle(entry)

    def _hold(self, data: dict[str, Any], on: bool) -> None:
        entry = self.entries.get(data["job"])
        if entry is not None:
            entry.hold(ranks(data["ranks"]), on, data.get("until", 0.0))
            self.todo.plan = True  # what is held gives up its room
            self._time(entry)
            self._settle(entry)

    def _update(self, data: dict[str, Any]) -> None:
        entry = self.entries.get(data["job"])
        if entry is not None:
            self._unqueue(entry)
            before = names_of(entry)
            entry.job = updated(entry.job, data)
            entry.priority, entry.parts = entry.job.priority, parts_of(entry.job)
            self.waits.rename(entry, before)
            entry.text.clear()
            self.unsettled = True
            self._time(entry)
            self._settle(entry)

    def _again(self, data: dict[str, Any]) -> None:
        """Runs that ended, whose ranks are pending again."""
        for row in ends(data):
            known = self.runs.get(row.id)
            entry = self.entries.get(row.job)
            if known is None or entry is None or known.run != row.run:
                self.todo.plan = self.strays.release(row.id, row.run) or self.todo.plan
                continue
            self._release(known, row.ended_at)
            entry.add(row.rank, row.run, row.last)
            self._settle(entry)
            self.todo.plan = True

    def _revive(self, data: dict[str, Any]) -> None:
        """Ended elements that are pending again: their submission may have been forgotten here."""
        job = job_from_json(data["job"])
        entry = self.entries.get(job.id)
        if entry is None:
            entry = self.entries[job.id] = Entry(job)
        else:
            self._unqueue(entry)
            self.waits.unwatch(entry)
            entry.take(job)
        self.arrange(entry)

    def _move(self, data: dict[str, Any]) -> None:
        """Runs were suspended, or go on."""
        for id, _, number, state, at, *_ in data["rows"]:
            run = self.runs.get(id)
            if run is None or run.run != number or run.suspended == (state == State.SUSPENDED):
                continue
            run.paused_s += at - run.since_move if run.suspended else 0.0
            run.suspended, run.since_move = not run.suspended, at
            self.work.expect(run)
            self.unsettled = True

    def _order_run(self, data: dict[str, Any]) -> None:
        for id, number, node, wanted in data["rows"]:
            run = self.runs.get(id)
            if run is not None and run.run == number:
                run.limit, run.deadline = wanted.get("limit", run.limit), wanted.get("deadline", run.deadline)
                self.work.expect(run)
                self.unsettled = True
            self.todo.orders.setdefault(node, []).append((id, number, wanted))

    def _cancel(self, data: dict[str, Any]) -> None:
        job, gone = data["job"], ranks(data["ranks"])
        self._drop(job, gone)
        self.todo.plan = self.todo.plan or bool(gone)
        if gone and job in self.waits:
            self.todo.ask = True

    def _start(self, data: dict[str, Any]) -> None:
        known = self.runs
        new = [row for row in starts(data) if row.id not in known]
        made = ((row.job, row.rank, row.run, allocation_from_json(row.allocation)) for row in new)
        self.started(made, data.get("guests", ()))

    def _begin(self, data: dict[str, Any]) -> None:
        starting, waits = self.starting, self.waits
        for id, job, run, at in data["rows"]:
            known = self.runs.get(id)
            if known is not None and known.run == run:
                known.begun, known.since = True, at
                self.work.expect(known)
                starting.get(known.node, {}).pop(id, None)
            if job in waits and waits.concerns(job, id, False):
                self.todo.ask = True

    def _end(self, data: dict[str, Any]) -> None:
        touched = set()
        for row in ends(data):
            known = self.runs.get(row.id)
            if known is not None and known.run == row.run:
                self._release(known, row.ended_at)
                touched.add(row.job)
            elif self.strays.release(row.id, row.run):
                self.todo.plan = True
            if row.job in self.waits and self.waits.concerns(row.job, row.id, row.last):
                self.todo.ask = True
        for job in touched:
            self._settle(self.entries[job])
        self.todo.plan = self.todo.plan or bool(touched)

    def _kill(self, data: dict[str, Any]) -> None:
        for id, number, node, signal in data["rows"]:
            run = self.runs.get(id)
            if run is not None and run.run == number:
                run.cancelled = run.cancelled or signal == 0
            self.todo.kills.setdefault(node, []).append((id, number, signal, PRIMARY_STEP))

    def _kill_step(self, data: dict[str, Any]) -> None:
        for id, number, node, signal, step in data["rows"]:
            self.todo.kills.setdefault(node, []).append((id, number, signal, step))

    def _node(self, data: dict[str, Any]) -> None:
        node = node_from_json(data["node"])
        self.pool.put(node)
        self.unsettled = self.unsettled or node.state is not NodeState.UP  # reasons and rooms rest on nodes that are up
        if node.state is not NodeState.DOWN and self.starting.get(node.spec.name):
            self.todo.resend.add(node.spec.name)
        self.todo.plan = True  # there is more room, or what was kept on it has to be found elsewhere

    def _nudge(self, data: dict[str, Any]) -> None:
        self.todo.resend.add(data["node"])

    # -- bookkeeping ----------------------------------------------------------------------------------------------

    def arrange(self, entry: Entry) -> None:
        """Note what a submission waits for, its times, and queue what of it may start."""
        self._watch(entry)
        self._time(entry)
        self._settle(entry)

    def hold_run(self, run: Run) -> Run | None:
        """Account for a run; None when it is known already, or its submission is not."""
        entry = self.entries.get(run.job)
        if entry is None or run.id in self.runs:
            return None
        self.runs[run.id] = run
        self.starting.setdefault(run.node, {})[run.id] = run
        self.pool.take(run.parts)
        entry.active += 1
        self.work.add(entry, run, self._now)
        return run

    def max_jobs(self, partition: str) -> int:
        """Elements of one user at once in a partition; 0 = no limit."""
        found = self._partitions.get(partition)
        return found.max_jobs if found else 0

    def _release(self, run: Run, at: float) -> None:
        del self.runs[run.id]
        self.starting.get(run.node, {}).pop(run.id, None)
        self.pool.give(run.parts)
        entry = self.entries[run.job]
        entry.active -= 1
        self.work.drop(entry, run, at)

    def _drop(self, job: int, gone: RangeSet) -> None:
        entry = self.entries.get(job)
        if entry is not None:
            entry.drop(gone)
            self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Queue what may start, take out what may not, forget what is over."""
        ready = 0 <= entry.ready <= self._now
        if entry.ready > self._now:
            heappush(self._later, (entry.ready, entry.job.id))
        for number, part in enumerate(entry.parts):
            wanted = ready and part.spec.begin <= self._now and bool(entry.startable(part)) and entry.room > 0
            if wanted and part.queued is None:
                unit = entry.job.id * PARTS + number
                part.queued = Place(self._kind(entry, part), unit)
                self.queue.add(part.queued)
                self.todo.plan = True
            elif not wanted and part.queued is not None:
                self.queue.discard(part.queued)
                part.queued = None
        if not entry.pending and not entry.active:
            self.waits.unwatch(entry)
            del self.entries[entry.job.id]
            self.queue.flexible.discard(entry.job.id)
            self.waits.over(entry)

    def _unqueue(self, entry: Entry) -> None:
        """Take all of it out of the queue, before it changes."""
        for part in entry.parts:
            if part.queued is not None:
                self.queue.discard(part.queued)
                part.queued = None

    def _time(self, entry: Entry) -> None:
        """Note the times at which something becomes of it by itself, and whether it may start in several shapes."""
        self.queue.flexible.discard(entry.job.id)
        for part in entry.parts:
            if part.spec.choices:
                self.queue.flexible.add(entry.job.id)
            for at in (part.spec.begin, part.spec.deadline):
                if at > self._now:
                    heappush(self._later, (at, entry.job.id))
        for _, at in tagged.decode(entry.job.until):
            heappush(self._later, (at, entry.job.id))

    def _kind(self, entry: Entry, part: Part) -> Kind:
        partition = self._partitions.get(part.want.partition)
        changed = part.spec.priority != entry.job.spec.priority
        fixed = part.spec.priority if changed else entry.priority
        return Kind(partition.priority if partition else 0, fixed, entry.job.spec.uid, part.want)

    def _watch(self, entry: Entry) -> None:
        self.todo.ask = self.waits.watch(entry) or self.todo.ask
        self.waits.name(entry)
        self.waits.doom(entry)
