"""The store's verbs, as Protocols split by who needs them. Implementations: store.redis, store.memory.

Rules for every verb: atomic (all of it happens, or none; what changes very many elements may do so in portions, each
atomic, and calling it again after an error does the rest); guarded on the old state, so that repeating it is harmless;
stamped with the store's own clock; appends its event (model.event) in the same step. Verbs that take a ``fence`` or
an ``epoch`` raise ``StaleFence`` when a newer one exists, and change nothing. Times are server seconds. Any verb may
raise ``Unreachable`` when the server does not answer, ``DiskFull`` when it refuses writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Block, Facts
from crane_celery.model.event import Event
from crane_celery.model.job import Allocation, Element, Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be: everything but its id."""

    spec: JobSpec
    count: int  # elements, 1 for a plain job
    body: bytes  # script, arguments and environment; opaque to the store, kept until the job leaves the window
    dep: str = ""  # resolved dependency, encoded; "" = none
    held: bool = False
    priority: float = 0.0
    #: living elements that its user may have at most, altogether and in its partition; 0 = no limit
    limits: tuple[int, int] = (0, 0)


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
    """What a node tells in one go."""

    began: Sequence[Began] = ()
    ended: Sequence[Ended] = ()
    steps: Sequence[StepRow] = ()
    moved: Sequence[Moved] = ()


#: of a run: "limit" (seconds, 0 = none), "deadline" (server time, 0 = none), "suspend" (1 or 0), "go" (1: its guests
#: are ready); absent = as it is
Wanted = dict[str, float]


class Beat(NamedTuple):
    """Answer to a heartbeat."""

    now: float
    #: (id, run) leased to this node over ``stale_s`` ago and not begun: the message was lost, or is late
    unanswered: list[tuple[int, int]]
    #: (id, run, signal) that were asked to stop and have not ended; signal 0 = TERM, grace, KILL
    kills: list[tuple[int, int, int]]
    #: (id, run, what is wanted of it) as ``order`` said; told until the run ends
    orders: list[tuple[int, int, Wanted]]


class Registration(NamedTuple):
    """Answer to a node's registration."""

    epoch: int
    #: (id, run) that this node is meant to be running; whatever else it runs is stale and must be killed
    live: list[tuple[int, int]]


class Cancelled(NamedTuple):
    """What a cancel did."""

    pending: int  # elements that will now never start
    running: list[int]  # plain ids that were told to stop
    waiting: int = 0  # jobs that wait on it (direct dependants)


class Forgotten(NamedTuple):
    """What a call of ``forget`` did."""

    jobs: int  # submissions that are gone
    more: bool  # another call would go on


class Changing(NamedTuple):
    """What is changed together with a requeue."""

    #: (ranks, "" = all; fields of the specification that are set for them), as ``update`` takes them
    fields: Sequence[tuple[str, Mapping[str, Any]]] = ()
    #: another dependency, as typed and encoded, as ``depend`` takes it; None = as it is
    dependency: tuple[str, str] | None = None


class Requeued(NamedTuple):
    """What a requeue did."""

    ended: int  # elements that had ended and are pending again
    never: int  # of these, how many had never run
    running: list[int]  # plain ids that were told to stop, and are pending again when they have


class Snapshot(NamedTuple):
    """Everything the scheduler needs, and the event after which it holds."""

    seq: str
    now: float
    jobs: list[Job]  # alive: something pending or holding
    elements: list[Element]  # holding an allocation
    nodes: list[Node]


class Question(NamedTuple):
    """A dependant whose dependency may have changed, with the facts as the server knows them now."""

    job: int
    dep: str
    facts: list[tuple[Block, Facts]]


class Answer(NamedTuple):
    """The verdict on a question: ``Job.dep``, ``ready``, ``corr`` and ``dead`` as they are now."""

    job: int
    dep: str
    ready: float
    corr: str = ""
    dead: str = ""


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

    def requeue(
        self,
        job: int,
        ranks: str,
        hold: bool = False,
        completed: bool = True,
        running: bool = True,
        uid: int = NOBODY,
        changing: Changing | None = None,
    ) -> Requeued:
        """Have ranks ("" = all) run again. Ended ones are pending again at once, those that Completed only with
        ``completed``; those that hold an allocation are told to stop where ``running`` says so; pending ones stay as
        they are. ``hold``: they are held then. A cancel wins. In the same step all that the ends had caused is taken
        back: counts, worst state and code, bits, and verdicts on dependants that have not started, which are queued for
        judgement. What is ``changing`` is set in the same step, if anything runs again. Raises NotFound."""

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
        """Whether this id was ever given out."""

    def ended_bits(self, first: int, count: int) -> tuple[int, int]:
        """(ended, succeeded) counts over a block of ids, for anything that ever ran."""

    def outcome(self, first: int, count: int) -> tuple[RangeSet, RangeSet]:
        """Which ids of a block ended, and which of these Completed, as offsets from ``first``; for anything that ever
        ran."""


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


class NodeStore(Protocol):
    """Nodes."""

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. Another boot id than before: what ran there is written off and the epoch grows."""

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive (down -> up), with this load (Node.load). Raises StaleFence when it, or another node of one
        of its runs, was written off: register again."""

    def node(self, name: str) -> Node | None:
        """One node."""

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator, which outlasts restarts of the node; what runs there runs on. Raises
        NotFound."""


class LeaderStore(Protocol):
    """Who schedules."""

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease: the fence (> 0) for the holder, 0 while another holds it."""

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours. Idempotent."""

    def set_drains(self, fence: int, text: str) -> None:
        """Note which nodes are drained towards which jobs (sched.draining ``encode``). Raises StaleFence."""

    def drains(self) -> str:
        """What the latest leader noted; "" at first."""

    def snapshot(self) -> Snapshot:
        """All live records, consistent with one event id: events after ``seq`` bring it up to date (each is safe to
        apply even where the snapshot already holds its effect)."""

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Take up to ``limit`` dependants off the durable resolve queue, with facts. They stay queued until judged.

        A store may give fewer than ``limit`` though more wait: the queue is drained when the answer is empty.
        """

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts and take these questions off the queue."""

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue these dependants to be judged, for a reason that the store does not see. Raises StaleFence."""

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks ("" = all) in this state, without a run; how many. ``hopeless``: only those that by the
        present verdict can never start. Idempotent. Raises StaleFence."""

    def forget(self, fence: int, before: float, limit: int) -> Forgotten:
        """Drop up to ``limit`` submissions that ended before this time and that the recorder has filed. A long array
        goes in several calls, each of which takes some 50 ms at most."""


class EventLog(Protocol):
    """The stream of transitions."""

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Entries after ``after`` ("$" = from now on, "0" = from the oldest kept), waiting up to ``block_s``."""

    def last_event(self) -> str:
        """Id of the newest entry ("0" when there is none)."""

    def first_event(self) -> str:
        """Id of the oldest entry kept: a cursor below it has a gap."""

    def cursor(self, consumer: str) -> str:
        """Where a named consumer (recorder, leader) stands; "0" at first."""

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on."""

    def trim(self) -> int:
        """Drop entries that every named consumer has passed; returns how many."""


class Store(JobStore, RunStore, NodeStore, LeaderStore, EventLog, Protocol):
    """All of it: what bootstrap hands out."""

    def close(self) -> None:
        """Let go of connections."""

    def ping(self) -> float:
        """Round trip to the server in seconds. Raises Unreachable."""
