"""What the view keeps of a submission and of a run: one entry for a job, and one for a million elements."""

from __future__ import annotations

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Block, decode
from crane_celery.model.job import WAITING, Allocation, Job
from crane_celery.sched.want import Want, want_of

_ONE = RangeSet.span(0, 0)
_NONE = RangeSet()


def ranks(text: str) -> RangeSet:
    """Range text as a set; the two commonest are shared."""
    return _ONE if text == "0" else RangeSet.parse(text) if text else _NONE


class Entry:
    """One submission with anything pending or holding. ``free`` are the pending ranks that are not held."""

    __slots__ = (
        "active",
        "dep",
        "free",
        "held",
        "indexes",
        "job",
        "pending",
        "priority",
        "queued",
        "ready",
        "text",
        "want",
    )

    def __init__(self, job: Job) -> None:
        self.job = job
        self.want: Want = want_of(job.spec)
        self.priority = job.priority
        self.pending = ranks(job.pending)
        self.held = ranks(job.held)
        self.free = self.pending - self.held
        self.ready = job.ready
        self.active = 0  # elements that hold an allocation
        self.queued = False  # whether it stands in its class's queue
        self.dep = _blocks(job)
        self.text = ""  # the specification as messages spell it, kept by the dispatcher
        self.indexes = IndexSet.parse(job.spec.array) if job.is_array else None

    def drop(self, gone: RangeSet) -> None:
        """These ranks are no longer pending."""
        self.pending -= gone
        self._refresh()

    def hold(self, some: RangeSet, on: bool) -> None:
        """Hold or release pending ranks."""
        self.held = self.held | some if on else self.held - some
        self._refresh()

    def _refresh(self) -> None:
        self.held &= self.pending
        self.free = self.pending - self.held

    @property
    def room(self) -> int:
        """How many more of its elements may hold an allocation; a large number where it has no throttle."""
        throttle = self.job.spec.throttle
        return max(0, throttle - self.active) if throttle else 1 << 62

    def index_of(self, rank: int) -> int | None:
        """The array index of a rank; None for a plain job."""
        return self.indexes.index_of(rank) if self.indexes else None


class Run:
    """One run that holds an allocation."""

    __slots__ = ("begun", "cancelled", "id", "job", "parts", "rank", "run")

    def __init__(self, id: int, job: int, rank: int, run: int, parts: tuple[Allocation, ...]) -> None:
        self.id = id
        self.job = job
        self.rank = rank
        self.run = run
        self.parts = parts
        self.begun = False
        self.cancelled = False

    @property
    def node(self) -> str:
        """Where its script runs, and its launch goes."""
        return self.parts[0].node


def _blocks(job: Job) -> tuple[Block, ...]:
    """What it waits for; nothing once it has been judged for good."""
    if not job.dep or job.ready != WAITING:
        return ()
    return tuple(block for group in decode(job.dep).groups for block in group)
