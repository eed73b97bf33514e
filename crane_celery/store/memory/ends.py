"""Define what the in-memory twin keeps of ended elements beside their records: bits and counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.machine import worst
from crane_celery.model import tagged
from crane_celery.model.dependency import Block, Facts
from crane_celery.model.job import Job
from crane_celery.model.states import State
from crane_celery.store.memory.log import Log

#: how an element ended: whether after a run, its state, its stored exit code
Way = tuple[bool, str, int]

_RANKS = ("ended", "ok")


class Ends:
    """Notes how elements ended and answers what dependencies ask of that."""

    def __init__(self, log: Log) -> None:
        """Nothing has ended."""
        self.log = log
        self.bits = {"began": RangeSet(), "ended": RangeSet(), "ok": RangeSet(), "lost": RangeSet()}
        #: submission -> whether its element that ended last Completed
        self.last_ok: dict[int, bool] = {}
        #: submission -> time of the latest begin, of the latest end
        self.moved: dict[int, tuple[float, float]] = {}
        #: submission -> elements cancelled while pending
        self.gone: dict[int, int] = {}
        #: submission -> (after a run, state, code) -> ranks that ended so
        self.ways: dict[int, dict[Way, RangeSet]] = {}
        #: ended submission -> the event of its end
        self.done: dict[int, str] = {}

    def set_bits(self, kind: str, first: int, last: int) -> None:
        """Set the bits of these ids."""
        self.bits[kind] |= RangeSet.span(first, last)

    def count(self, kind: str, block: RangeSet) -> int:
        """Return how many bits of these ids are set."""
        return len(self.bits[kind] & block)

    def note(self, job: int, ranks: RangeSet, way: Way) -> None:
        """Note how these ranks ended."""
        ways = self.ways.setdefault(job, {})
        ways[way] = ways.get(way, RangeSet()) | ranks

    def failed(self, job: int) -> int:
        """Return how many of its elements ended by a run that failed."""
        good = (State.COMPLETED, State.CANCELLED)
        return sum(len(some) for (ran, state, _), some in self.ways[job].items() if ran and state not in good)

    def advance(self, before: Job, gone: int) -> bool:
        """Note that elements of a submission began or ended, ``gone`` of them without a run; whether all that wait for
        it are concerned. ``before``: the submission as it was."""
        job = self.log.records.jobs[before.id]
        was = before.began + self.gone.get(job.id, 0)
        self.gone[job.id] = self.gone.get(job.id, 0) + gone
        reached, over = job.began + self.gone[job.id], job.ended == job.count > before.ended
        begin, end = self.moved.get(job.id, (0.0, 0.0))
        at = self.log.entries[-1].at
        self.moved[job.id] = (at if reached > was else begin, at if job.ended > before.ended else end)
        if job.ended > before.ended:
            self.last_ok[job.id] = job.ok > before.ok
        if over:
            self.done[job.id] = self.log.entries[-1].seq
        spoiled = job.ended > job.ok and before.ended == before.ok
        return over or spoiled or reached == job.count > was

    def forget(self, job: int) -> None:
        """Drop what stands beside the record of a submission; its bits stay."""
        kept: tuple[dict[int, Any], ...] = (self.done, self.moved, self.gone, self.ways, self.last_ok)
        for each in kept:
            each.pop(job, None)

    def facts(self, block: Block) -> Facts:
        """Return what a dependency asks of a block."""
        span = span_of(block)
        began, ended, ok = (self.count(kind, span) for kind in ("began", "ended", "ok"))
        last = block.last and self.last_ok.get(block.job, ok == block.count)
        facts = Facts(began, ended, ok, self._moment(block), self.count("lost", span), last)
        if block.kind != "aftercorr":
            return facts._replace(lost=facts.lost if block.kind == "afterexcept" else 0)
        ranks = [(self.bits[kind] & span).shifted(-block.first) for kind in _RANKS]
        return facts._replace(lost=0, ended_ranks=ranks[0], ok_ranks=ranks[1])

    def _moment(self, block: Block) -> float:
        """When the block's ids began or ended last; of an array's part the array's latest stands in."""
        after = block.kind == "after"
        e = self.log.records.elements.get(block.first) if block.count == 1 else None
        if e:
            return e.began_at if after and e.began_at > 0 else e.ended_at
        return self.moved.get(block.job, (0.0, 0.0))[0 if after else 1]

    def take_back(self, job: Job, over: RangeSet, ran: RangeSet, hold: bool) -> Job:
        """Return the submission with ranks that have ended, of which these ``ran``, pending again."""
        again, ids = job.again, over.shifted(job.id)
        runs: dict[int, list[int]] = {}
        for rank in ran:
            runs.setdefault(self.log.records.elements[job.id + rank].run, []).append(rank)
        for run, some in sorted(runs.items()):
            again = tagged.tag(again, RangeSet.of(some), run)
        for kind in ("ended", "ok", "lost"):
            self.bits[kind] -= ids
        self.bits["began"] -= (over - ran).shifted(job.id)
        ways = {way: left for way, those in self.ways[job.id].items() if (left := those - over)}
        taken = {way: len(those & over) for way, those in self.ways[job.id].items()}
        gone = sum(n for (ran_, _, _), n in taken.items() if not ran_)
        self.ways[job.id] = ways
        self.gone[job.id] = self.gone.get(job.id, 0) - gone
        state, code = _worst(ways)
        self.done.pop(job.id, None)
        return replace(
            job,
            pending=(RangeSet.parse(job.pending) | over).text,
            held=(RangeSet.parse(job.held) | over).text if hold else job.held,
            again=again,
            ended=job.ended - len(over),
            gone=job.gone - gone,
            ok=job.ok - sum(n for (_, state, _), n in taken.items() if state == State.COMPLETED),
            worst_code=code,
            worst_state=state,
            ended_at=0.0,
        )


def span_of(block: Block) -> RangeSet:
    """The ids of a block."""
    return RangeSet.span(block.first, block.first + block.count - 1) if block.count else RangeSet()


def _worst(ways: Collection[Way]) -> tuple[State | None, int]:
    """Return the worst state and the highest exit code of the ends that are left."""
    return worst(*(State(state) for _, state, _ in ways)), max((code for _, _, code in ways), default=0)
