"""Define what the leading scheduler does in memory. See store.api.leader."""

from __future__ import annotations

from collections.abc import Sequence

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import undecided
from crane_celery.model.event import Position
from crane_celery.model.job import NEVER
from crane_celery.store.api import Answer, Forgotten, Question, Snapshot
from crane_celery.store.memory.part import Part, Shared


class MemoryLeader(Part):
    """store.api.LeaderStore."""

    def __init__(self, state: Shared) -> None:
        """Nobody leads."""
        super().__init__(state)
        self._leader: tuple[str, float] = ("", 0.0)
        self._noted = ""

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease. See store.api."""
        with self.log.lock:
            now, (leader, until) = self.log.now(), self._leader
            if leader and leader != holder and now < until:
                return 0
            if leader != holder or now >= until:
                self.log.append(("lead", {"fence": self.log.records.fence + 1, "holder": holder}))
            self._leader = (holder, now + ttl_s)
            return self.log.records.fence

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours."""
        with self.log.lock:
            if self._leader[0] == holder:
                self._leader = ("", 0.0)

    def note_plan(self, fence: int, text: str) -> None:
        """Note what the last plan says. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            self._noted = text
            self.log.append(("plan", {}))

    def noted_plan(self) -> str:
        """Return what the latest leader noted."""
        return self._noted

    def snapshot(self) -> Snapshot:
        """All live records and the event that they hold from."""
        with self.log.lock:
            log = self.log
            return Snapshot(log.last_event(), log.now(), log.jobs(), log.elements(), log.nodes())

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Dependants to be judged. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            return self.dependants.questions(limit)

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            for id_, dep, ready, corr, dead in answers:
                asked, job = id_ in self.dependants.asked, self.log.records.jobs.get(id_)
                self.dependants.asked.discard(id_)
                if (
                    asked
                    and job
                    and self.dependants.is_open(job)
                    and (dep, ready, corr, dead) != (job.dep, job.ready, job.corr, job.dead)
                ):
                    self.log.append(("judge", {"rows": [[id_, ready]], "deps": [dep], "gates": [[corr, dead]]}))
                    if not undecided(dep, ready, self.log.now(), corr):
                        self.dependants.stop_waiting(job, final=True)

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue dependants to be judged. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            self.dependants.resolve |= {id_ for id_ in jobs if id_ in self.log.records.jobs}

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks in this state. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            record = self.log.records.jobs.get(job)
            if not record:
                return 0
            hit = RangeSet.parse(record.pending) & (RangeSet.parse(ranks) if ranks else RangeSet.parse(record.pending))
            if hopeless and record.ready != NEVER:
                hit &= RangeSet.parse(record.dead)
            if hit:
                self.ending.pending(record, hit, 0, state=state, code=code, reason=reason)
            return len(hit)

    def forget(self, fence: int, before: float, limit: int) -> Forgotten:
        """Drop submissions that ended before this time and are filed. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            filed = Position.parse(self.log.cursor("recorder"))
            gone: list[int] = []
            for job in sorted((self.log.records.jobs[i] for i in self.ends.done), key=lambda j: (j.ended_at, j.id)):
                if job.ended_at >= before or len(gone) == limit or Position.parse(self.ends.done[job.id]) > filed:
                    break
                gone.append(job.id)
            if gone:
                self.log.append(("forget", {"jobs": gone}))
            for id_ in gone:
                self.accepted.bodies.pop(id_, None)
                self.accepted.budget.drop(id_)
                self.ends.forget(id_)
                self.dependants.forget(id_)
            return Forgotten(len(gone), len(gone) == limit)
