"""Define what the history can be asked, as a Protocol. Implementation: history.sql. Writer: history.recorder.

A row is a plain dict of JSON-able values (``rows.element_row``); the service joins rows of live runs, made by the same
function, to those of the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.model.job import Job

Row = dict[str, Any]


class Span(NamedTuple):
    """An interval of server time in seconds, both ends included; None = open."""

    low: float | None = None
    high: float | None = None


ANY_TIME = Span()


class Total(NamedTuple):
    """Record of how many there are: at least, unless ``exact``."""

    number: int
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which runs are wanted: all conditions must hold; within one, any of its values. Empty = no condition."""

    #: a bare array id means the whole array; ``36_1`` and the plain ids of elements mean elements; a step narrows its
    #: job to that step
    selectors: tuple[Selector, ...] = ()
    #: users and uids together are one condition
    users: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    states: tuple[str, ...] = ()  # model.states.State values
    names: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()  # ran on any of these
    kinds: tuple[str, ...] = ()  # Batch, Interactive, Container
    licenses: tuple[str, ...] = ()  # asked for any of these
    start: Span = ANY_TIME
    end: Span = ANY_TIME
    submit: Span = ANY_TIME
    deadline: Span = ANY_TIME
    #: only the last run of each, and none where it is pending again
    last: bool = False
    #: rows of runs at most, newest (highest id, then highest run) first; steps do not count
    limit: int = 1000
    #: whether rows carry their steps
    steps: bool = True


class History(Protocol):
    """The reading side."""

    def query(self, want: Query) -> list[Row]:
        """Ended runs, and elements that ended before they ran (run 0), newest first. Raises SystemFault."""

    def count(self, want: Query) -> Total:
        """Return how many rows ``query`` would return without a limit."""

    def elements(self, want: Query) -> dict[int, tuple[str, RangeSet]]:
        """Submission -> (its index text, "" for a plain job, the ranks that ``query`` would return without a limit)."""

    def submission(self, id: int) -> Row | None:
        """The submission that a plain id belongs to, whether ended or not: a row without a run; None = never filed."""

    def job(self, id: int) -> Job | None:
        """The same as a record, with what was changed of it."""

    def runs(self, ids: RangeSet) -> list[Row]:
        """All ended runs of these plain ids, newest first, without steps."""

    def told(self, job: int) -> list[Row]:
        """Return what happened to a submission beside its runs, in order: ``at``, ``kind``, ``ranks`` (range text,
        "" = all),
        ``detail`` (as model.event has it) and ``by_uid`` (-1 = nobody said)."""

    def sums(self, ids: RangeSet) -> list[Row]:
        """Ended runs of these plain ids counted: ``state``, ``again`` (0 = the last of its element), ``count``, the
        first ``leased_at`` and the last ``ended_at``."""

    def held_by_uid(self, now: float, half_life_s: float) -> dict[int, float]:
        """Uid -> CPU seconds held by ended runs, each decayed by 2^-(seconds since its end / half-life)."""

    def last_id(self) -> int:
        """No id above it was ever given out: 0 where nothing was filed, else rounded up, as the newest may never have
        been filed. Raises SystemFault."""

    def array_of(self, job: int) -> str:
        """The canonical index text of a submission, "" for a plain job or one never filed."""

    def counts(self, job: int) -> dict[str, int]:
        """Final state -> how many elements of this submission ended so (the last run of each counts)."""

    def arrays(self, want: Query) -> tuple[list[Row], Total]:
        """Arrays by what their submission says (ids, names, users, ..., time of submission), newest first: rows without
        a run, each with ``counts``; and how many there are without the limit. With states, those of which any element
        ended so. Conditions on nodes and on times of runs are not looked at."""

    def usage(self, selectors: Sequence[Selector], without: RangeSet) -> list[Row]:
        """Return what the last runs of these elements used, but for those ids: a row for each submission, state and
        shape of
        what was held, with ``count``, the sums ``cpu_s``, ``wall_s`` and ``held_s`` (CPU seconds held), the highest
        ``code`` and ``memory_peak``, and per run ``nodes``, ``alloc_cpus`` and ``alloc_memory``."""

    def close(self) -> None:
        """Let go of connections."""
