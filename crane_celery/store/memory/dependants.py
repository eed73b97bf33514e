"""The in-memory twin's dependants: who waits for whom, and who is to be judged."""

from __future__ import annotations

from dataclasses import replace

from crane_celery.model.dependency import blocks_of, decode, encode, undecided, unstamped
from crane_celery.model.event import asked_by
from crane_celery.model.job import WAITING, Job
from crane_celery.model.overrides import dependent
from crane_celery.store.api import Question
from crane_celery.store.memory.ends import Ends
from crane_celery.store.memory.log import Log


class Dependants:
    """Submissions that wait for others."""

    def __init__(self, log: Log, ends: Ends) -> None:
        """Nobody waits."""
        self.log, self.ends = log, ends
        self.waits: dict[int, set[int]] = {}
        #: submission -> those that waited for it and have a verdict that is final, unless it is requeued
        self.final: dict[int, set[int]] = {}
        #: submissions whose dependants wait for a part of them
        self.parts: set[int] = set()
        self.resolve: set[int] = set()
        self.asked: set[int] = set()

    def wait_for(self, id_: int, dep: str) -> None:
        """Queue it to be judged, and whenever a dependee moves on."""
        self.resolve.add(id_)
        for block in blocks_of(dep):
            if of := self.log.records.jobs.get(block.job):
                self.waits.setdefault(of.id, set()).add(id_)
                self.final.setdefault(of.id, set()).discard(id_)
                if block.first != of.id or block.count != of.count or block.kind in ("aftercorr", "expand"):
                    self.parts.add(of.id)

    def stop_waiting(self, job: Job, final: bool = False) -> None:
        """Take it off the lists of those that it waits for; ``final``: by a verdict, until one of them is requeued."""
        for block in blocks_of(job.dep):
            was_there = job.id in self.waits.get(block.job, set())
            self.waits.get(block.job, set()).discard(job.id)
            if final and was_there:
                self.final.setdefault(block.job, set()).add(job.id)
            elif not final:
                self.final.get(block.job, set()).discard(job.id)

    def _ask_again(self, job: int, dep: str) -> None:
        self.asked.discard(job)
        self.wait_for(job, dep)

    @staticmethod
    def is_open(job: Job | None) -> bool:
        """Return whether a verdict on it may still change."""
        return job is not None and job.pending != "" and undecided(job.dep, job.ready, job.judged_at, job.corr)

    def _of(self, of: int) -> list[int]:
        """Return its dependants in the order in which a server lists them."""
        final, open_ = self.final.get(of, set()), self.waits.get(of, set())
        return [*sorted(final, reverse=True), *sorted(open_)]

    def depend(self, job: Job, text: str, dep: str, uid: int) -> None:
        """Give it another dependency, "" = none."""
        self.stop_waiting(job)
        self.asked.discard(job.id)
        self.resolve.discard(job.id)
        ready = WAITING if dep else 0.0
        data = {"job": job.id, "text": text, "dep": dep, "ready": ready, "changes": dependent(job, text)}
        self.log.append(("depend", asked_by(uid) | data))
        if dep:
            self.wait_for(job.id, dep)

    def judge_anew(self, job: Job) -> Job:
        """A submission that runs again: what it waits for is looked at anew as well."""
        before = decode(job.dep) if job.dep else None
        after = unstamped(before, self.ends.facts, ends=True) if before else None
        if after is None or after == before:
            return job
        dep = encode(after)
        self._ask_again(job.id, dep)
        return replace(job, dep=dep, ready=WAITING, corr="", dead="", judged_at=self.log.now())

    def reopen(self, of: int) -> None:
        """Take back the verdicts on dependants that a requeue has made untrue."""
        rows: list[tuple[int, float]] = []
        deps: list[str] = []
        for id_ in self._of(of):
            job = self.log.records.jobs.get(id_)
            if not job or not job.dep or not job.pending:
                continue
            before = decode(job.dep)
            after = unstamped(before, self.ends.facts)
            gated = job.ready != WAITING or job.dead
            if after != before or (gated and any(b.kind == "aftercorr" and b.job == of for b in blocks_of(job.dep))):
                rows.append((id_, WAITING))
                deps.append(encode(after))
            elif self.is_open(job):
                self.asked.discard(id_)
                self.resolve.add(id_)
        if rows:
            self.log.append(
                (
                    "judge",
                    {
                        "requeued": of,
                        "rows": [list(row) for row in rows],
                        "deps": deps,
                        "gates": [["", ""]] * len(rows),
                    },
                )
            )
        for (id_, _), dep in zip(rows, deps, strict=True):
            self._ask_again(id_, dep)

    def advance(self, before: Job, gone: int = 0) -> None:
        """Queue whom it concerns that elements of a submission began or ended. See Ends.advance."""
        if self.ends.advance(before, gone) or before.id in self.parts:
            self.resolve |= self.waits.get(before.id, set())

    def questions(self, limit: int) -> list[Question]:
        """Return dependants to be judged, which stay queued until they are."""
        open_ = {j for j in self.asked | self.resolve if self.is_open(self.log.records.jobs.get(j))}
        self.asked &= open_
        queue = sorted(self.asked) + sorted((self.resolve & open_) - self.asked)
        self.asked |= set(queue[:limit])
        self.resolve = (self.resolve & open_) - set(queue[:limit])
        return [self._question(self.log.records.jobs[job]) for job in queue[:limit]]

    def _question(self, job: Job) -> Question:
        return Question(job.id, job.dep, [(block, self.ends.facts(block)) for block in blocks_of(job.dep)])

    def forget(self, job: int) -> None:
        """Drop what stands beside the record of a submission."""
        self.waits.pop(job, None)
        self.final.pop(job, None)
