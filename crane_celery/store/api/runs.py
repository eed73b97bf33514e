"""Runs: how they start, what nodes report of them, what is wanted of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from crane_celery.model.job import Allocation, StepRow
from crane_celery.store.api.jobs import NOBODY


class Start(NamedTuple):
    """One element to start: ``rank`` of submission ``job`` on these nodes.

    With ``guests`` the nodes beside the first have a part in it (programs around the job): each gets a lease of its
    own, the first is told to go (``Wanted``) when all of them have reported a begin, they are told to stop when the
    first has reported an end, and the run ends when all have. One that fails before the begin fails the run.
    """

    job: int
    rank: int
    run: int
    allocation: tuple[Allocation, ...]
    guests: bool = False


class Began(NamedTuple):
    """A run's processes exist on its node since ``at`` (server time, estimated by the node)."""

    id: int
    run: int
    at: float


class Ended(NamedTuple):
    """A run is over. Repeating it changes nothing; the first report of a run counts."""

    id: int
    run: int
    state: str  # model.states.State value, one of ENDED
    code: int
    began_at: float
    ended_at: float
    reason: str = ""
    cpu_s: float = 0.0
    memory_peak: int = 0
    memory_deaths: int = 0  # processes killed because memory ran out


class Moved(NamedTuple):
    """A run was suspended, or goes on, since ``at``."""

    id: int
    run: int
    state: str  # Suspended or Running
    at: float


class Report(NamedTuple):
    """Record of what a node tells in one go."""

    began: Sequence[Began] = ()
    ended: Sequence[Ended] = ()
    steps: Sequence[StepRow] = ()
    moved: Sequence[Moved] = ()


#: of a run: "limit" (seconds, 0 = none), "deadline" (server time, 0 = none), "suspend" (1 or 0), "go" (1: its guests
#: are ready); absent = as it is
Wanted = dict[str, float]


class RunStore(Protocol):
    """Starts and ends."""

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit starts; one answer each: "" = accepted, else why not (it is simply planned again).

        Re-checked: the rank is pending and not held, the job ready and not cancelled, every node up at its epoch.
        Makes the element record (Starting) and the lease on its first node. Raises StaleFence.
        """

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take a node's report. Rows of unknown or already ended runs are passed over. Ends free the lease, set the
        bits and put the submission on the resolve queue when something waits on it. Raises StaleFence."""

    def lose(self, fence: int, node: str, reason: str) -> list[int]:
        """Write a node off: state down, epoch + 1, its runs end Failed with code NODE_DOWN; returns their ids."""

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on, added to what was said before; False when it is over, or is to go
        on though nobody had it suspended. Its node hears of it by a message, and by every heartbeat until it ends."""

    def nudge(self, node: str) -> None:
        """Ask the leader to send the node's unanswered leases again."""

    def stop_step(self, id: int, run: int, node: str, signal: int, step: int) -> None:
        """Ask the leader to have one COMMON step stopped (signal 0 = TERM, grace, KILL). Only an event: it is not told
        again by heartbeats, since a step that ends meanwhile would leave nothing to take it back."""
