"""Submissions in memory: guards in plain Python, changes only through the events that are appended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crane_celery.errors import InputError
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import asked_by
from crane_celery.model.job import WAITING, Element, Job, StepRow
from crane_celery.model.overrides import update_of
from crane_celery.model.states import State
from crane_celery.store.api import NOBODY, REQUEUE, Cancelled, Changing, Requeue, Requeued, Submission
from crane_celery.store.memory.part import Part


class MemoryJobs(Part):
    """store.api.JobStore."""

    def now(self) -> float:
        """Server time."""
        return self.log.now()

    def submit(self, jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        """Accept submissions. See store.api."""
        with self.log.lock:
            for job in jobs:
                if job.count < 1:
                    raise InputError(f"a submission of {job.count} elements: there must be at least one")
                self.accepted.refuse_unknown(job.dep)
            self.accepted.refuse_beyond(
                [job for job, key in zip(jobs, keys, strict=True) if not self.accepted.seen(key)]
            )
            return [self._accept(job, key) for job, key in zip(jobs, keys, strict=True)]

    def _accept(self, job: Submission, key: str) -> int:
        if seen := self.accepted.seen(key):
            return seen
        id_, self.accepted.last = self.accepted.last + 1, self.accepted.last + job.count
        pending = RangeSet.span(0, job.count - 1).text
        record = Job(
            id=id_,
            spec=job.spec,
            count=job.count,
            submitted_at=self.log.now(),
            pending=pending,
            held=pending if job.held else "",
            ready=WAITING if job.dep else 0.0,
            dep=job.dep,
            priority=job.priority,
        )
        self.accepted.bodies[id_] = job.body
        self.accepted.budget.add(id_, job.spec, job.body)
        self.log.append(("submit", {"job": job_to_json(record)}))
        if job.dep:
            self.dependants.wait_for(id_, job.dep)
        if key:
            self.accepted.keys[key] = (id_, self.log.now())
        return id_

    def cancel(self, job: int, ranks: str, uid: int, signal: int = 0) -> Cancelled:
        """End pending ranks, tell running ones to stop. See store.api."""
        with self.log.lock:
            before = self.log.job(job)
            chosen = RangeSet.parse(ranks) if ranks else RangeSet.span(0, before.count - 1)
            hit = RangeSet() if signal else RangeSet.parse(before.pending) & chosen
            if hit:
                self.ending.pending(before, hit, uid)
            told = self.desired.stop(before, chosen, signal, uid)
            return Cancelled(len(hit), told, len(self.dependants.waits.get(job, ())))

    def cancel_whole(self, jobs: Sequence[int], uid: int) -> list[int]:
        """End many submissions that nothing has happened to. See store.api."""
        with self.log.lock:
            answers = []
            for id_ in jobs:
                job = self.log.records.jobs.get(id_)
                whole = RangeSet.span(0, job.count - 1) if job else RangeSet()
                untouched = job is not None and job.pending == whole.text
                answers.append(self.cancel(id_, "", uid).waiting if untouched else -1)
            return answers

    def hold(self, job: int, ranks: str, on: bool, until: float = 0.0, uid: int = NOBODY) -> None:
        """Hold or release pending ranks. Raises NotFound."""
        with self.log.lock:
            record = self.log.job(job)
            until = round(until, 3)
            pending, held = RangeSet.parse(record.pending), RangeSet.parse(record.held)
            asked = pending & RangeSet.parse(ranks) if ranks else pending
            changed = asked - held if on else asked & held
            timed = tagged.tag(record.until, asked, until) if on and until else tagged.untag(record.until, asked)
            if changed or timed != record.until:
                data = {**asked_by(uid), "job": job, "ranks": asked.text, "until": until if on else 0}
                self.log.append(("hold" if on else "release", data))

    def update(self, job: int, ranks: str, fields: Mapping[str, Any], uid: int = NOBODY) -> None:
        """Change fields of the specification for some ranks. Raises NotFound."""
        with self.log.lock:
            self.log.append(("update", asked_by(uid) | update_of(self.log.job(job), ranks, fields)))

    def depend(self, job: int, text: str, dep: str, uid: int = NOBODY) -> bool:
        """Another dependency. See store.api."""
        with self.log.lock:
            record = self.log.job(job)
            self.accepted.refuse_unknown(dep)
            if not record.pending:
                return False
            self.dependants.depend(record, text, dep, uid)
            return True

    def requeue(self, job: int, ranks: str, how: Requeue = REQUEUE, uid: int = NOBODY) -> Requeued:
        """Have ranks run again. See store.api."""
        with self.log.lock:
            record = self.log.job(job)
            chosen = RangeSet.parse(ranks) if ranks else RangeSet.span(0, record.count - 1)
            chosen -= RangeSet.parse(record.pending)
            live = [each for each in self.log.live(record) if how.running and each.rank in chosen]
            over = RangeSet()
            for (_, state, _), some in self.ends.ways.get(job, {}).items():
                over |= some & chosen if how.completed or state != State.COMPLETED else RangeSet()
            ran = RangeSet.of(e.rank for e in self.log.records.elements.values() if e.job == job) & over
            if how.changing and (over or live):
                record = self._change(record, how.changing, uid)
            told = self.desired.stop_for(live, how.then, asked_by(uid))
            if over:
                self._revive(record, over, ran, how.hold, asked_by(uid))
            return Requeued(len(over), len(over) - len(ran), sorted(told))

    def _change(self, job: Job, changing: Changing, uid: int) -> Job:
        """Set what is changed together with a requeue."""
        if changing.dependency:
            self.accepted.refuse_unknown(changing.dependency[1])
        for ranks, fields in changing.fields:
            self.log.append(("update", asked_by(uid) | update_of(self.log.job(job.id), ranks, fields)))
        if changing.dependency:
            self.dependants.depend(self.log.job(job.id), *changing.dependency, uid)
        return self.log.job(job.id)

    def _revive(self, job: Job, over: RangeSet, ran: RangeSet, hold: bool, by: Mapping[str, int]) -> None:
        """Have ranks that have ended, of which these ``ran``, be pending again."""
        record = self.dependants.judge_anew(self.ends.take_back(job, over, ran, hold))
        self.log.append(("revive", {**by, "job": job_to_json(record), "ranks": over.text, "held": hold}))
        self.dependants.reopen(job.id)

    def job(self, job: int) -> Job | None:
        """One submission by its id."""
        return self.log.records.jobs.get(job)

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""
        with self.log.lock:
            return next((job for job in self.log.records.jobs.values() if job.id <= id < job.id + job.count), None)

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""
        return self.log.jobs(ids)

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id, or all that hold an allocation."""
        return self.log.elements(ids)

    def steps(self, id: int, run: int) -> list[StepRow]:
        """COMMON steps of a run, by number."""
        with self.log.lock:
            return [step for key, step in sorted(self.log.records.steps.items()) if key[:2] == (id, run)]

    def body(self, job: int) -> bytes | None:
        """The submission's script and environment."""
        return self.accepted.bodies.get(job)

    def known(self, id: int) -> bool:
        """Return whether this id was ever given out."""
        return 1 <= id <= self.accepted.last

    def ended_bits(self, first: int, count: int) -> tuple[int, int]:
        """(ended, succeeded) counts over a block of ids."""
        with self.log.lock:
            block = RangeSet.span(first, first + count - 1)
            return self.ends.count("ended", block), self.ends.count("ok", block)

    def outcome(self, first: int, count: int) -> tuple[RangeSet, RangeSet]:
        """Which ids of a block ended, and Completed. See store.api."""
        with self.log.lock:
            block = RangeSet.span(first, first + count - 1)
            ended, ok = ((self.ends.bits[kind] & block).shifted(-first) for kind in ("ended", "ok"))
            return ended, ok
