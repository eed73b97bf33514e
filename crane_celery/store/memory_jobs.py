"""The in-memory twin's state and its JobStore: guards in plain Python, changes only through the events it appends.

One lock makes every verb atomic. What the events do not carry (bodies, bits, queues, leases' answers) stands here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from crane_celery.errors import InputError, LimitReached, NotFound, StaleFence
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import Records, apply
from crane_celery.model import tagged
from crane_celery.model.asjson import job_to_json
from crane_celery.model.dependency import Block, blocks_of
from crane_celery.model.event import Event
from crane_celery.model.job import WAITING, Element, Job, StepRow
from crane_celery.model.states import HOLDING, TERMINATED, State
from crane_celery.store.api import Cancelled, Submission

_DAY_S = 86400.0
#: how an element ended: whether after a run, its state, its stored exit code
Way = tuple[bool, str, int]


class MemoryJobs:
    """Submissions and what people ask of them. See store.api.JobStore."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` stands for the server's: seconds since the epoch."""
        self._clock = clock
        self._lock = threading.RLock()
        self._grown = threading.Condition(self._lock)
        self._records = Records()
        self._log: list[Event] = []
        self._bodies: dict[int, bytes] = {}
        self._keys: dict[str, tuple[int, float]] = {}
        self._last = 0
        self._bits = {"began": RangeSet(), "ended": RangeSet(), "ok": RangeSet(), "lost": RangeSet()}
        #: submission -> whether its element that ended last Completed
        self._last_ok: dict[int, bool] = {}
        #: submission -> time of the latest begin, of the latest end
        self._moved: dict[int, tuple[float, float]] = {}
        #: submission -> elements cancelled while pending
        self._gone: dict[int, int] = {}
        #: submission -> (after a run, state, code) -> ranks that ended so
        self._ways: dict[int, dict[Way, RangeSet]] = {}
        #: submission -> of these, the ranks that had run before
        self._lapsed: dict[int, RangeSet] = {}
        self._waits: dict[int, set[int]] = {}
        #: submission -> those that waited for it and have a verdict that is final, unless it is requeued
        self._final: dict[int, set[int]] = {}
        #: submissions whose dependants wait for a part of them
        self._parts: set[int] = set()
        self._resolve: set[int] = set()
        self._asked: set[int] = set()
        self._kills: dict[str, dict[tuple[int, int], int]] = {}
        self._ordered: dict[tuple[int, int], int] = {}  # who asked that a run be suspended or go on
        self._orders: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
        self._done: dict[int, str] = {}

    # --- what all verbs share

    def now(self) -> float:
        """Server time, in microseconds as a server has it."""
        return round(self._clock(), 6)

    def _tell(self, *events: tuple[str, dict[str, object]]) -> str:
        """Append the events of one verb under one sequence number, and let them change the records."""
        at = self.now()
        last = self._log[-1].seq if self._log else "0-0"
        ms, n = (int(part) for part in last.split("-"))
        seq = f"{int(at * 1000)}-0" if int(at * 1000) > ms else f"{ms}-{n + 1}"
        for kind, data in events:
            event = Event(seq, at, kind, data)
            self._log.append(event)
            apply(self._records, event)
        self._grown.notify_all()
        return seq

    def _set_bits(self, kind: str, first: int, last: int) -> None:
        self._bits[kind] |= RangeSet.span(first, last)

    def _count(self, kind: str, block: RangeSet) -> int:
        return len(self._bits[kind] & block)

    def _fenced(self, fence: int) -> None:
        if fence != self._records.fence or not fence:
            raise StaleFence(f"fence {fence}: the newest is {self._records.fence or 'none yet'}")

    def _moved_on(self, before: Job, gone: int = 0) -> None:
        """After elements of a submission began or ended, ``gone`` of them without a run: note when, and queue whom it
        concerns. ``before``: the submission as it was."""
        job = self._records.jobs[before.id]
        was = before.began + self._gone.get(job.id, 0)
        self._gone[job.id] = self._gone.get(job.id, 0) + gone
        reached, over = job.began + self._gone[job.id], job.ended == job.count > before.ended
        begin, end = self._moved.get(job.id, (0.0, 0.0))
        at = self._log[-1].at
        self._moved[job.id] = (at if reached > was else begin, at if job.ended > before.ended else end)
        if job.ended > before.ended:
            self._last_ok[job.id] = job.ok > before.ok
        if over:
            self._done[job.id] = self._log[-1].seq
        spoiled = job.ended > job.ok and before.ended == before.ok
        if over or spoiled or reached == job.count > was or job.id in self._parts:
            self._resolve |= self._waits.get(job.id, set())

    def _drop_kept(self, gone: Sequence[int]) -> None:
        """Forget what stands beside the records of these submissions; their bits stay."""
        kept: tuple[dict[int, Any], ...] = (self._done, self._bodies, self._waits, self._final, self._moved, self._gone)
        for id_ in gone:
            for each in (*kept, self._ways, self._lapsed, self._last_ok):
                each.pop(id_, None)

    # --- JobStore

    def submit(self, jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        """Accept submissions. See store.api."""
        with self._lock:
            for job in jobs:
                if job.count < 1:
                    raise InputError(f"a submission of {job.count} elements: there must be at least one")
                self._refuse_unknown(job.dep)
            self._refuse_beyond([job for job, key in zip(jobs, keys, strict=True) if not self._seen(key)])
            return [self._accept(job, key) for job, key in zip(jobs, keys, strict=True)]

    def _refuse_unknown(self, dep: str) -> None:
        for block in blocks_of(dep):
            if block.kind == "singleton":
                continue
            wrong = [i for i in (block.job, block.first, block.first + block.count - 1) if not 1 <= i <= self._last]
            if wrong:
                raise NotFound(f"there is no job {wrong[0]}; see cqueue and cacct for what there is")

    def _refuse_beyond(self, jobs: Sequence[Submission]) -> None:
        """MaxSubmitJobs: of a user altogether, and in a partition."""
        living: dict[tuple[int, str | None], int] = {}  # by user and partition, None = altogether
        for job in self._records.jobs.values():
            for where in (None, job.spec.partition):
                living[job.spec.uid, where] = living.get((job.spec.uid, where), 0) + job.count - job.ended
        for new in jobs:
            for where, most in zip((None, new.spec.partition), new.limits, strict=True):
                before = living.get((new.spec.uid, where), 0)
                living[new.spec.uid, where] = before + new.count
                if most and before + new.count > most:
                    raise LimitReached(
                        f"MaxSubmitJobs is {most}: {before} have not ended, {new.count} more are too many"
                    )

    def _seen(self, key: str) -> int:
        """The id that this key got within a day, else 0."""
        id_, at = self._keys.get(key, (0, 0.0))
        return id_ if key and self.now() - at < _DAY_S else 0

    def _accept(self, job: Submission, key: str) -> int:
        if seen := self._seen(key):
            return seen
        id_, self._last = self._last + 1, self._last + job.count
        pending = RangeSet.span(0, job.count - 1).text
        record = Job(
            id=id_,
            spec=job.spec,
            count=job.count,
            submitted_at=self.now(),
            pending=pending,
            held=pending if job.held else "",
            ready=WAITING if job.dep else 0.0,
            dep=job.dep,
            priority=job.priority,
        )
        self._bodies[id_] = job.body
        self._tell(("submit", {"job": job_to_json(record)}))
        if job.dep:
            self._wait_for(id_, job.dep)
        if key:
            self._keys[key] = (id_, self.now())
        return id_

    def _wait_for(self, id_: int, dep: str) -> None:
        self._resolve.add(id_)
        for block in blocks_of(dep):
            if of := self._records.jobs.get(block.job):
                self._waits.setdefault(of.id, set()).add(id_)
                self._final.setdefault(of.id, set()).discard(id_)
                if block.first != of.id or block.count != of.count or block.kind in ("aftercorr", "expand"):
                    self._parts.add(of.id)

    def _stop_waiting(self, job: Job, final: bool = False) -> None:
        """Take it off the lists of those that it waits for; ``final``: by a verdict, until one of them is requeued."""
        for block in blocks_of(job.dep):
            was_there = job.id in self._waits.get(block.job, set())
            self._waits.get(block.job, set()).discard(job.id)
            if final and was_there:
                self._final.setdefault(block.job, set()).add(job.id)
            elif not final:
                self._final.get(block.job, set()).discard(job.id)

    def _ended_so(self, job: int, ranks: RangeSet, way: Way) -> None:
        """Note how these ranks ended."""
        ways = self._ways.setdefault(job, {})
        ways[way] = ways.get(way, RangeSet()) | ranks

    def cancel(self, job: int, ranks: str, uid: int, signal: int = 0) -> Cancelled:
        """End pending ranks, tell running ones to stop. See store.api."""
        with self._lock:
            before = self._records.jobs.get(job)
            if not before:
                raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
            chosen = RangeSet.parse(ranks) if ranks else RangeSet.span(0, before.count - 1)
            hit = RangeSet() if signal else RangeSet.parse(before.pending) & chosen
            if hit:
                self._end_pending(before, hit, uid)
            told = self._stop(before, chosen, signal, uid)
            return Cancelled(len(hit), told, len(self._waits.get(job, ())))

    def cancel_whole(self, jobs: Sequence[int], uid: int) -> list[int]:
        """End many submissions that nothing has happened to. See store.api."""
        with self._lock:
            answers = []
            for id_ in jobs:
                job = self._records.jobs.get(id_)
                whole = RangeSet.span(0, job.count - 1) if job else RangeSet()
                untouched = job is not None and job.pending == whole.text
                answers.append(self.cancel(id_, "", uid).waiting if untouched else -1)
            return answers

    def _end_pending(self, before: Job, hit: RangeSet, uid: int, **by: object) -> None:
        done = before.ended + len(hit) == before.count
        self._tell(("cancel", {"job": before.id, "ranks": hit.text, "uid": uid, **by, "done": done}))
        lapsed = self._lapsed.get(before.id, RangeSet())
        for ran, _ in tagged.decode(before.again):
            lapsed |= ran & hit
        self._lapsed[before.id] = lapsed
        state, code = str(by.get("state", State.CANCELLED)), by.get("code", TERMINATED)
        self._ended_so(before.id, hit, (False, state, int(str(code))))
        for kind in ("began", "ended"):
            self._bits[kind] |= hit.shifted(before.id)
        self._moved_on(before, len(hit))
        after = self._records.jobs[before.id]
        if not after.pending:
            self._stop_waiting(after)

    def _stop(self, job: Job, chosen: RangeSet, signal: int, uid: int) -> list[int]:
        told, rows = [], []
        for element in self._live(job):
            if element.rank not in chosen:
                continue
            told.append(element.id)
            node, name = element.allocation[0].node, (element.id, element.run)
            kills = self._kills.setdefault(node, {})
            if signal == 0 and element.cancelled:
                continue
            if signal == 0 or (signal == 9 and name not in kills):
                kills[name] = signal
            rows.append([*name, node, signal])
        if rows:
            self._tell(("kill", {"uid": uid, "rows": rows}))
        return told

    def _live(self, job: Job) -> list[Element]:
        """Elements of a submission that hold an allocation, by rank. Costs all elements known: a twin may."""
        mine = (e for e in self._records.elements.values() if e.job == job.id and e.state in HOLDING)
        return sorted(mine, key=lambda e: e.rank)

    def job(self, job: int) -> Job | None:
        """One submission by its id."""
        return self._records.jobs.get(job)

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""
        with self._lock:
            return next((job for job in self._records.jobs.values() if job.id <= id < job.id + job.count), None)

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""
        with self._lock:
            if ids is None:
                return [job for _, job in sorted(self._records.jobs.items()) if not job.ended_at]
            return [self._records.jobs[i] for i in ids if i in self._records.jobs]

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id, or all that hold an allocation."""
        with self._lock:
            known = self._records.elements
            if ids is None:
                return [element for _, element in sorted(known.items()) if element.state in HOLDING]
            return [known[i] for i in ids if i in known]

    def steps(self, id: int, run: int) -> list[StepRow]:
        """COMMON steps of a run, by number."""
        with self._lock:
            return [step for key, step in sorted(self._records.steps.items()) if key[:2] == (id, run)]

    def body(self, job: int) -> bytes | None:
        """The submission's script and environment."""
        return self._bodies.get(job)

    def known(self, id: int) -> bool:
        """Whether this id was ever given out."""
        return 1 <= id <= self._last

    def ended_bits(self, first: int, count: int) -> tuple[int, int]:
        """(ended, succeeded) counts over a block of ids."""
        with self._lock:
            block = RangeSet.span(first, first + count - 1)
            return self._count("ended", block), self._count("ok", block)

    def outcome(self, first: int, count: int) -> tuple[RangeSet, RangeSet]:
        """Which ids of a block ended, and Completed. See store.api."""
        with self._lock:
            block = RangeSet.span(first, first + count - 1)
            ended, ok = ((self._bits[kind] & block).shifted(-first) for kind in ("ended", "ok"))
            return ended, ok


def span_of(block: Block) -> RangeSet:
    """The ids of a block."""
    return RangeSet.span(block.first, block.first + block.count - 1) if block.count else RangeSet()
