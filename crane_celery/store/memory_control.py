"""The in-memory twin's verbs of control: holding, changing, running again, and what is wanted of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crane_celery.errors import NotFound
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import asked_by
from crane_celery.model.job import WAITING, Element, Job
from crane_celery.model.overrides import dependent, update_of
from crane_celery.model.states import HOLDING, State
from crane_celery.store.api import NOBODY, Requeued, Wanted
from crane_celery.store.memory_jobs import MemoryJobs


class MemoryControl(MemoryJobs):
    """See store.api.JobStore and RunStore."""

    def _record(self, job: int) -> Job:
        record = self._records.jobs.get(job)
        if not record:
            raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
        return record

    def hold(self, job: int, ranks: str, on: bool, until: float = 0.0, uid: int = NOBODY) -> None:
        """Hold or release pending ranks. Raises NotFound."""
        with self._lock:
            record = self._record(job)
            until = round(until, 3)
            pending, held = RangeSet.parse(record.pending), RangeSet.parse(record.held)
            asked = pending & RangeSet.parse(ranks) if ranks else pending
            changed = asked - held if on else asked & held
            timed = tagged.tag(record.until, asked, until) if on and until else tagged.untag(record.until, asked)
            if changed or timed != record.until:
                data = {**asked_by(uid), "job": job, "ranks": asked.text, "until": until if on else 0}
                self._tell(("hold" if on else "release", data))

    def update(self, job: int, ranks: str, fields: Mapping[str, Any], uid: int = NOBODY) -> None:
        """Change fields of the specification for some ranks. Raises NotFound."""
        with self._lock:
            self._tell(("update", asked_by(uid) | update_of(self._record(job), ranks, fields)))

    def depend(self, job: int, text: str, dep: str, uid: int = NOBODY) -> bool:
        """Another dependency. See store.api."""
        with self._lock:
            record = self._record(job)
            self._refuse_unknown(dep)
            if not record.pending:
                return False
            self._stop_waiting(record)
            self._asked.discard(job)
            self._resolve.discard(job)
            ready = WAITING if dep else 0.0
            data = {"job": job, "text": text, "dep": dep, "ready": ready, "changes": dependent(record, text)}
            self._tell(("depend", asked_by(uid) | data))
            if dep:
                self._wait_for(job, dep)
            return True

    def requeue(self, job: int, ranks: str, hold: bool = False, only_live: bool = False, uid: int = NOBODY) -> Requeued:
        """Have ranks run again. See store.api."""
        with self._lock:
            record = self._record(job)
            chosen = RangeSet.parse(ranks) if ranks else RangeSet.span(0, record.count - 1)
            chosen -= RangeSet.parse(record.pending)
            ran = [e for e in self._records.elements.values() if e.job == job and e.rank in chosen]
            told = self._stop_for([e for e in ran if e.state in HOLDING], "hold" if hold else "requeue", asked_by(uid))
            over = [] if only_live else [e for e in ran if e.state not in HOLDING]
            if over:
                self._revive(record, over, hold, asked_by(uid))
            return Requeued(len(over), sorted(told))

    def _stop_for(self, runs: list[Element], then: str, by: Mapping[str, int]) -> list[int]:
        rows = []
        for e in sorted(runs, key=lambda e: e.id):
            if not e.cancelled:
                node = e.allocation[0].node
                self._kills.setdefault(node, {})[e.id, e.run] = 0
                rows.append([e.id, e.run, node, 0])
        if rows:
            self._tell(("kill", {**by, "then": then, "rows": rows}))
        return [e.id for e in runs]

    def _revive(self, job: Job, over: list[Element], hold: bool, by: Mapping[str, int]) -> None:
        ranks = RangeSet.of([e.rank for e in over])
        again = job.again
        for e in over:
            again = tagged.tag(again, RangeSet.of([e.rank]), e.run)
            for kind in ("ended", "ok", "lost"):
                self._bits[kind] -= RangeSet.span(e.id, e.id)
        ended = job.ended - len(over)
        lapsed = self._lapsed.get(job.id, RangeSet())
        gone = len(lapsed & ranks)
        self._lapsed[job.id], self._gone[job.id] = lapsed - ranks, self._gone.get(job.id, 0) - gone
        record = replace(
            job,
            pending=(RangeSet.parse(job.pending) | ranks).text,
            held=(RangeSet.parse(job.held) | ranks).text if hold else job.held,
            again=again,
            ended=ended,
            gone=job.gone - gone,
            ok=job.ok - sum(1 for e in over if e.state == State.COMPLETED and e.rank not in lapsed),
            worst_code=job.worst_code if ended else 0,
            worst_state=job.worst_state if ended else None,
            ended_at=0.0,
        )
        self._done.pop(job.id, None)
        self._fails.pop(job.id, None)
        self._tell(("revive", {**by, "job": job_to_json(record), "ranks": ranks.text, "held": hold}))

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on. See store.api."""
        with self._lock:
            e = self._records.elements.get(id)
            if not e or e.run != run or e.state not in HOLDING:
                return False
            node = e.allocation[0].node
            said = self._orders.get(node, {}).get((id, run), {})
            if wanted == {"suspend": 0} and e.state is not State.SUSPENDED and not said.get("suspend"):
                return False
            if "suspend" in wanted and uid >= 0:
                self._ordered[id, run] = uid
            orders = self._orders.setdefault(node, {})
            orders[id, run] = dict(sorted({**said, **wanted}.items()))
            self._tell(("order", {"rows": [[id, run, node, orders[id, run]]]}))
            return True

    def expire(self, fence: int, job: int, ranks: str, state: str, code: int, reason: str) -> int:
        """End pending ranks in this state. See store.api."""
        with self._lock:
            self._fenced(fence)
            record = self._records.jobs.get(job)
            if not record:
                return 0
            hit = RangeSet.parse(record.pending) & (RangeSet.parse(ranks) if ranks else RangeSet.parse(record.pending))
            if hit:
                self._end_pending(record, hit, 0, state=state, code=code, reason=reason)
            return len(hit)
