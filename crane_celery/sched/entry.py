"""Define what the view keeps of a submission and of a run: one entry for a job, and one for a million elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.dependency import Block, blocks_of, undecided
from crane_celery.model.job import Allocation, Job, JobSpec
from crane_celery.model.overrides import depended, spec_parts
from crane_celery.sched.queue import Place
from crane_celery.sched.want import Want, want_of

_ONE = RangeSet.span(0, 0)
_NONE = RangeSet()


def ranks(text: str) -> RangeSet:
    """Range text as a set; the two commonest are shared."""
    return _ONE if text == "0" else RangeSet.parse(text) if text else _NONE


class Part:
    """Ranks of a submission with one specification: all of them, until some are changed (model.overrides)."""

    __slots__ = ("queued", "ranks", "spec", "want")

    def __init__(self, ranks: RangeSet | None, spec: JobSpec) -> None:
        """``ranks`` None: all of the submission's."""
        self.ranks = ranks
        self.spec = spec
        self.want: Want = want_of(spec)
        self.queued: Place | None = None  # where it stands in the queue


class Entry:
    """One submission with anything pending or holding. ``free`` are the pending ranks neither held nor blocked."""

    __slots__ = (
        "active",
        "blocked",
        "dep",
        "failed",
        "free",
        "held",
        "indexes",
        "job",
        "parts",
        "pending",
        "priority",
        "ready",
        "text",
    )

    def __init__(self, job: Job) -> None:
        self.active = 0  # elements that hold an allocation
        self.failed = 0  # elements that ended, and neither Completed nor were cancelled while pending
        self.text: dict[str, str] = {}  # specifications as messages spell them, kept by the dispatcher
        self.indexes = IndexSet.parse(job.spec.array) if job.is_array else None
        self.take(job)

    def take(self, job: Job) -> None:
        """Follow the record: what is pending, held, changed."""
        self.job = job
        self.priority = job.priority
        self.pending = ranks(job.pending)
        self.held = ranks(job.held)
        self.dep = blocks_in_force(job)
        self.blocked = _blocked(job)
        self.free = self.pending - self.held - self.blocked
        self.ready = job.waits_until
        self.failed = job.ended - job.ok - job.gone
        self.parts = parts_of(job)

    def drop(self, gone: RangeSet) -> None:
        """These ranks are no longer pending."""
        self.pending -= gone
        if self.job.again:
            self.job = replace(self.job, again=tagged.untag(self.job.again, gone))
        self._refresh()

    def add(self, rank: int, run: int, held: bool) -> None:
        """A rank is pending again after this run of it."""
        one = RangeSet.span(rank, rank)
        self.pending |= one
        self.held = self.held | one if held else self.held
        self.job = replace(self.job, again=tagged.tag(self.job.again, one, run))
        self._refresh()

    def hold(self, some: RangeSet, on: bool, until: float = 0.0) -> None:
        """Hold or release pending ranks; a hold may end by itself."""
        self.held = self.held | some if on else self.held - some
        if until or self.job.until:
            timed = tagged.tag(self.job.until, some, until) if on and until else tagged.untag(self.job.until, some)
            self.job = replace(self.job, until=timed)
        self._refresh()

    def _refresh(self) -> None:
        self.held &= self.pending
        self.free = self.pending - self.held - self.blocked

    def judged(self, ready: float, at: float, dep: str, corr: str, dead: str) -> None:
        """A verdict on its dependency."""
        self.job = replace(self.job, ready=ready, judged_at=at, dep=dep, corr=corr, dead=dead)
        self.ready, self.blocked = self.job.waits_until, _blocked(self.job)
        self._refresh()

    def depend(self, data: Mapping[str, Any]) -> None:
        """Another dependency, as its event tells."""
        self.job = depended(self.job, data)
        self.ready, self.dep, self.blocked = self.job.waits_until, blocks_in_force(self.job), _NONE
        self.parts = parts_of(self.job)
        self._refresh()

    def startable(self, part: Part) -> RangeSet:
        """Of a part, what is pending and not held."""
        return self.free if part.ranks is None else self.free & part.ranks

    def part_of(self, rank: int) -> Part:
        """The part that a rank is of."""
        return next(part for part in self.parts if part.ranks is None or rank in part.ranks)

    def next_run(self, rank: int) -> int:
        """The number of the run that starts next."""
        return int(tagged.number_of(self.job.again, rank)) + 1 if self.job.again else 1

    @property
    def spec(self) -> JobSpec:
        """The specification in force for what concerns the whole: throttle, failures."""
        return self.parts[0].spec

    @property
    def want(self) -> Want:
        """Return what its first part asks for."""
        return self.parts[0].want

    @property
    def queued(self) -> bool:
        """Return whether any of it stands in the queue."""
        return any(part.queued for part in self.parts)

    @property
    def room(self) -> int:
        """Return how many more of its elements may hold an allocation; a large number where it has no throttle."""
        throttle = self.spec.throttle
        return max(0, throttle - self.active) if throttle else 1 << 62

    def index_of(self, rank: int) -> int | None:
        """The array index of a rank; None for a plain job."""
        return self.indexes.index_of(rank) if self.indexes else None


def parts_of(job: Job) -> list[Part]:
    """A submission by the specifications in force."""
    if not job.changes:
        return [Part(None, job.spec)]
    return [Part(some, spec) for some, spec in spec_parts(job.spec, job.changes, RangeSet.span(0, job.count - 1))]


class Run:
    """One run that holds an allocation. Times are server seconds."""

    __slots__ = (
        *("begun", "cancelled", "deadline", "guests", "id", "job", "limit", "parts", "paused_s", "rank", "run"),
        *("since", "since_move", "suspended"),
    )

    def __init__(self, id: int, job: int, rank: int, run: int, parts: tuple[Allocation, ...]) -> None:
        self.id = id
        self.job = job
        self.rank = rank
        self.run = run
        self.parts = parts
        self.begun = False
        self.cancelled = False
        self.guests = False  # its other nodes have a part in it: its launch goes to each
        self.since = 0.0  # of its begin; of its start while it has not begun
        self.limit: float = 0  # seconds; 0 = none
        self.deadline = 0.0  # 0 = none
        self.suspended = False
        self.since_move = 0.0  # of the latest suspension, or end of one
        self.paused_s = 0.0

    @property
    def node(self) -> str:
        """Return where its script runs, and its launch goes."""
        return self.parts[0].node

    @property
    def end(self) -> float:
        """When it is expected to end at the latest; infinity for a run without a limit, or suspended."""
        limit = inf if not self.limit or self.suspended else self.since + self.limit + self.paused_s
        return min(limit, self.deadline or inf)


def blocks_in_force(job: Job) -> tuple[Block, ...]:
    """Return what it waits for; nothing once it has been judged for good."""
    return tuple(blocks_of(job.dep)) if undecided(job.dep, job.ready, job.judged_at, job.corr) else ()


def _blocked(job: Job) -> RangeSet:
    """Ranks that wait for the element of their index, or wait in vain."""
    return ranks(job.corr) | ranks(job.dead) if job.corr or job.dead else _NONE
