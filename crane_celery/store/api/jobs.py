"""Submissions and what people ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import Element, Job, JobSpec, StepRow


class Limits(NamedTuple):
    """Record of what a user may have at most; 0 = no limit. A submission counts once, however many elements it has."""

    jobs: int = 0  # submissions that have not ended
    jobs_here: int = 0  # of these, in the partition of this one
    bytes: int = 0  # of specifications and bodies that the store holds


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be: everything but its id."""

    spec: JobSpec
    count: int  # elements, 1 for a plain job
    body: bytes  # script, arguments and environment; opaque to the store, kept until the job leaves the window
    dep: str = ""  # resolved dependency, encoded; "" = none
    held: bool = False
    priority: float = 0.0
    limits: Limits = NO_LIMITS


class Cancelled(NamedTuple):
    """Record of what a cancel did."""

    pending: int  # elements that will now never start
    running: list[int]  # plain ids that were told to stop
    waiting: int = 0  # jobs that wait on it (direct dependants)


class Changing(NamedTuple):
    """Record of what is changed together with a requeue."""

    #: (ranks, "" = all; fields of the specification that are set for them), as ``update`` takes them
    fields: Sequence[tuple[str, Mapping[str, Any]]] = ()
    #: another dependency, as typed and encoded, as ``depend`` takes it; None = as it is
    dependency: tuple[str, str] | None = None


class Requeue(NamedTuple):
    """Record of how ranks are to run again."""

    hold: bool = False  # they are held then
    completed: bool = True  # those that Completed too
    running: bool = True  # those that hold an allocation are told to stop
    changing: Changing | None = None  # set in the same step, if anything runs again

    @property
    def then(self) -> str:
        """Return what becomes of a rank whose run is stopped for it."""
        return "hold" if self.hold else "requeue"


#: requeue whatever has started, and hold nothing
REQUEUE = Requeue()


class Requeued(NamedTuple):
    """Record of what a requeue did."""

    ended: int  # elements that had ended and are pending again
    never: int  # of these, how many had never run
    running: list[int]  # plain ids that were told to stop, and are pending again when they have


#: in place of the uid of whoever asked
NOBODY = -1


class JobStore(Protocol):
    """Submissions and what people ask of them; ``uid``: who asked, for the event."""

    def now(self) -> float:
        """Server time."""

    def submit(self, jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        """Accept submissions, one atomic step each, pipelined; returns their ids.

        ``keys`` are idempotency keys ("" = none): a key seen within a day returns the id of its first submission and
        changes nothing. A job with ``dep`` is ready=WAITING and is queued for judgement.
        Raises NotFound when a dependee's id was never given out, LimitReached when its user would have too many living
        elements (of the atomic step nothing is taken then), DiskFull.
        """

    def cancel(self, job: int, ranks: str, uid: int, signal: int = 0) -> Cancelled:
        """End these pending ranks as Cancelled and tell the running ones to stop ("" = all ranks). Idempotent.

        With ``signal`` > 0 only running ones are signalled, pending ones stay. Raises NotFound for an unknown job.
        """

    def cancel_whole(self, jobs: Sequence[int], uid: int) -> list[int]:
        """End many submissions as Cancelled, each on its own, where nothing of them has started or ended yet.

        One answer each: how many submissions wait on it, or -1: left as it was (or not there); ``cancel`` is for those.
        """

    def hold(self, job: int, ranks: str, on: bool, until: float = 0.0, uid: int = NOBODY) -> None:
        """Hold or release pending ranks ("" = all). A hold ``until`` a time is released by the leader then."""

    def update(self, job: int, ranks: str, fields: Mapping[str, Any], uid: int = NOBODY) -> None:
        """Change fields of the specification (model.overrides) for these ranks ("" = all), whatever their state.

        ``priority`` of all of them is also ``Job.priority``; ``throttle``, ``requeue`` and
        ``max_fails`` are of the whole array. Raises NotFound.
        """

    def depend(self, job: int, text: str, dep: str, uid: int = NOBODY) -> bool:
        """Give a submission another dependency ("" = none), queued for judgement; False when nothing of it is pending.
        ``text``: as typed. Raises NotFound as ``submit`` does."""

    def requeue(self, job: int, ranks: str, how: Requeue = REQUEUE, uid: int = NOBODY) -> Requeued:
        """Have ranks ("" = all) run again. Ended ones are pending again at once; those that hold an allocation are
        stopped; pending ones stay as they are; a cancel wins. In the same step all that the ends had caused is taken
        back: counts, worst state and code, bits, and verdicts on dependants that have not started, which are queued for
        judgement. Raises NotFound."""

    def job(self, job: int) -> Job | None:
        """One submission by its id, while it is in Redis."""

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to, while it is in Redis."""

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id (unknown ids are left out), or all that hold an allocation."""

    def steps(self, id: int, run: int) -> list[StepRow]:
        """COMMON steps of a run, by number."""

    def body(self, job: int) -> bytes | None:
        """The submission's script and environment."""

    def known(self, id: int) -> bool:
        """Return whether this id was ever given out."""

    def ended_bits(self, first: int, count: int) -> tuple[int, int]:
        """(ended, succeeded) counts over a block of ids, for anything that ever ran."""

    def outcome(self, first: int, count: int) -> tuple[RangeSet, RangeSet]:
        """Which ids of a block ended, and which of these Completed, as offsets from ``first``; for anything that ever
        ran."""
