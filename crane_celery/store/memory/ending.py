"""Define how elements end in memory: pending ones, runs, and all that follows."""

from __future__ import annotations

from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.requeue import follows
from crane_celery.model.job import Element, Job
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import LOST, NODE_DOWN, TERMINATED, State
from crane_celery.store.api import Ended
from crane_celery.store.memory.dependants import Dependants
from crane_celery.store.memory.desired import Desired
from crane_celery.store.memory.ends import Ends
from crane_celery.store.memory.guests import Guests


class Ending:
    """Ends elements, and does what follows from that."""

    def __init__(self, ends: Ends, dependants: Dependants, desired: Desired, guests: Guests) -> None:
        """Nothing is to be ended."""
        self.log, self.ends, self.dependants, self.desired, self.guests = ends.log, ends, dependants, desired, guests
        self._spoiled: set[int] = set()

    def pending(self, before: Job, hit: RangeSet, uid: int, **by: object) -> None:
        """End pending ranks of a submission."""
        done = before.ended + len(hit) == before.count
        self.log.append(("cancel", {"job": before.id, "ranks": hit.text, "uid": uid, **by, "done": done}))
        state, code = str(by.get("state", State.CANCELLED)), by.get("code", TERMINATED)
        self.ends.note(before.id, hit, (False, state, int(str(code))))
        for kind in ("began", "ended"):
            self.ends.bits[kind] |= hit.shifted(before.id)
        self.dependants.advance(before, len(hit))
        after = self.log.records.jobs[before.id]
        if not after.pending:
            self.dependants.stop_waiting(after)

    def run(self, node: str, element: Element, end: Ended, lost: bool = False) -> None:
        """End a run; ``lost``: with its node."""
        before = self.log.records.jobs[element.job]
        self.guests.disband(element, lost)
        self.desired.ordered.pop((element.id, element.run), None)
        spec = spec_of(before.spec, before.changes, element.rank)
        after = follows(spec, element, State(end.state), end.code)
        began_at = round(end.began_at, 6) if end.began_at > 0 else element.began_at
        row = [element.id, element.job, element.rank, element.run, str(end.state), end.code, began_at]
        row += [self.log.past(end.ended_at), end.reason, end.cpu_s, end.memory_peak, end.memory_deaths]
        if after:
            self.log.append(("again", {"node": node, "rows": [[*row, after == "hold"]]}))
            return
        self.log.append(("end", {"node": node, "rows": [[*row, before.ended + 1 == before.count]]}))
        for kind in ("began", "ended", *(("ok",) if end.state == State.COMPLETED else ())):
            self.ends.set_bits(kind, element.id, element.id)
        if end.code in LOST:
            self.ends.set_bits("lost", element.id, element.id)
        self.dependants.advance(before)
        self.ends.note(before.id, RangeSet.span(element.rank, element.rank), (True, str(end.state), end.code))
        most = spec_of(before.spec, before.changes, 0).max_fails if before.is_array else 0
        if end.state not in (State.COMPLETED, State.CANCELLED) and 0 < most <= self.ends.failed(before.id):
            self._spoiled.add(before.id)

    def stop_rests(self) -> None:
        """End what is pending of arrays of which too many elements failed."""
        for id_ in sorted(self._spoiled):
            job = self.log.records.jobs[id_]
            if job.pending:
                self.pending(job, RangeSet.parse(job.pending), 0, reason="too many of its elements failed")
        self._spoiled.clear()

    def write_off(self, node: str, reason: str) -> list[int]:
        """End all runs on a node; their ids."""
        lost = self.log.runs(node)
        for e in lost:
            self.run(node, e, Ended(e.id, e.run, State.FAILED, NODE_DOWN, 0.0, self.log.now(), reason), True)
        self.stop_rests()
        return [e.id for e in lost]
