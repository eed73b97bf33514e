"""The in-memory twin's verbs of control: holding, changing, and what is wanted of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.event import asked_by
from crane_celery.model.job import NEVER
from crane_celery.model.overrides import update_of
from crane_celery.model.states import HOLDING, State
from crane_celery.store.api import NOBODY, Wanted
from crane_celery.store.memory_requeue import MemoryRequeue


class MemoryControl(MemoryRequeue):
    """See store.api.JobStore and RunStore."""

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
            self._depend(record, text, dep, uid)
            return True

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

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks in this state. See store.api."""
        with self._lock:
            self._fenced(fence)
            record = self._records.jobs.get(job)
            if not record:
                return 0
            hit = RangeSet.parse(record.pending) & (RangeSet.parse(ranks) if ranks else RangeSet.parse(record.pending))
            if hopeless and record.ready != NEVER:
                hit &= RangeSet.parse(record.dead)
            if hit:
                self._end_pending(record, hit, 0, state=state, code=code, reason=reason)
            return len(hit)
