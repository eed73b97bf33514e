"""Records of jobs. One submission is one ``Job`` record, whether it stands for one job or for a million elements.

A submission of n elements takes n consecutive job ids: the element of rank r (r = 0 .. n-1, in index order) has id
``job.id + r`` (design.md section 5). A plain job is the case n = 1 without an index set. Nothing is stored for a
pending element; a start makes an ``Element`` record.
"""

from dataclasses import dataclass, field

from crane_celery.model.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """Record of what the user asked for; never changes after submission (changes are overrides on the ``Job``)."""

    name: str
    #: who, as the kernel told the gateway
    uid: int
    gid: int
    user: str
    #: nodes x per-node resources; ntasks over all nodes
    nodes: int = 1
    ntasks: int = 1
    ntasks_per_node: int = 0
    cpus_per_task: float = 1.0
    #: bytes on each node; 0 = partition default filled in by the service, so never 0 in a stored record
    memory: int = 0
    #: all memory of each node instead, whatever that is; ``memory`` is then the least it can be
    whole_memory: bool = False
    #: per node: "name:type" or "name" -> count
    gres: dict[str, int] = field(default_factory=dict)
    partition: str = ""
    account: str = ""
    qos: str = ""
    comment: str = ""
    wckey: str = ""
    #: seconds; None = no limit
    time_limit: int | None = None
    cwd: str = "/"
    stdin: str = "/dev/null"
    stdout: str = ""  # pattern, "" = the default pattern
    stderr: str = ""  # pattern, "" = joined with stdout
    open_mode: str = "truncate"
    #: canonical index text ("0-31", "1-7:2"); "" = a plain job
    array: str = ""
    #: at most so many elements at once; 0 = no limit
    throttle: int = 0
    #: canonical dependency text as typed; "" = none. Its resolved form is ``Job.dep``
    dependency: str = ""
    #: the shapes in which it may start: ``[{field: value}, ...]`` as JSON, that wanted most first; "" = this one only
    choices: str = ""
    #: seconds: its time limit may be made as short as this where it can start earlier then; 0 = it may not
    time_min: int = 0
    priority: int = 0
    nodelist: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclusive: bool = False
    submit_host: str = ""
    submit_dir: str = ""
    command: str = ""  # what was submitted, for people to read
    kind: str = "Batch"  # Batch, Interactive or Container (reference/cranesched.md section 2.1)
    #: server time before which it must not start; 0 = none
    begin: float = 0.0
    #: server time at which it is over, started or not; 0 = none
    deadline: float = 0.0
    #: signals before the time limit, canonical (grammar.signals); "" = none
    signal: str = ""
    #: after which end another run follows: "never", "node" (lost node or launch), "failure" (that or any failure)
    requeue: str = "node"
    #: so many requeues, then it is held instead
    max_requeue: int = 5
    #: what becomes of it when its dependency can never be met: "yes" = cancelled after the grace, "no" = it stays
    kill_on_invalid_dep: str = "yes"
    #: node features it needs, canonical (grammar.constraint); "" = any node
    constraint: str = ""
    #: bytes of temporary disk that each of its nodes is to have; not used up by it
    tmp: int = 0
    #: licences it holds while it runs, canonical (grammar.licenses); "" = none
    licenses: str = ""
    #: of an array: so many failed elements cancel the rest; 0 = never
    max_fails: int = 0
    #: what else was said about it (mail, attributes), as JSON text of an object; "" = nothing
    extra: str = ""
    #: whose variables its script finds beside ours: "slurm", "lsf", or both with a comma; "" = ours only
    dialect: str = ""
    #: of a job in Slurm's dialect: options that its variables repeat only where they were given, as typed
    asked: dict[str, str] = field(default_factory=dict)
    #: sha-256 hex of the body (script, arguments, environment), which is stored apart and fetched by the node
    body: str = ""

    @property
    def cpus_per_node(self) -> float:
        """CPUs that each of its nodes must give: tasks spread evenly, rounded up."""
        tasks = self.ntasks_per_node or -(-self.ntasks // max(1, self.nodes))
        return tasks * self.cpus_per_task


#: ``Job.ready`` values beside a time: waits for its dependency; can never start
WAITING = -1.0
NEVER = -2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One submission as the store knows it while any of it lives or is still in the window."""

    id: int
    spec: JobSpec
    count: int  # elements; 1 for a plain job
    submitted_at: float  # server time, seconds since the epoch
    #: ranks neither started nor ended, as range text ("0-999999"); "" = none left
    pending: str
    #: ranks held (a subset of pending), as range text
    held: str = ""
    #: 0 or a server time: may start from then on; WAITING; NEVER
    ready: float = 0.0
    #: resolved dependency (model.dependency.encode), None = none
    dep: str = ""
    priority: float = 0.0
    began: int = 0  # elements that reached Running
    ended: int = 0
    ok: int = 0  # ended Completed
    #: highest stored exit code of its ended elements
    worst_code: int = 0
    #: the worst state of its ended elements; None while none ended
    worst_state: State | None = None
    ended_at: float = 0.0  # server time at which the last element ended; 0 = still alive
    #: what was changed since, by ranks (model.overrides); "" = nothing
    changes: str = ""
    #: pending ranks that ran before, with their last run: ``[[ranks, run], ...]`` as JSON; "" = none
    again: str = ""
    #: held ranks that release themselves: ``[[ranks, server time], ...]`` as JSON; "" = none
    until: str = ""
    #: ranks that still wait for the element of their index (aftercorr), as range text; ``ready`` holds for the others
    corr: str = ""
    #: ranks that can never start, since that element failed
    dead: str = ""
    #: server time of the latest verdict on its dependency; 0 = none yet
    judged_at: float = 0.0
    gone: int = 0  # elements that ended while pending, without a run

    @property
    def waits_until(self) -> float:
        """``ready`` as far as it still matters: 0 where it had passed when the verdict was stamped, whatever the clock
        says now."""
        return 0.0 if 0 <= self.ready <= self.judged_at else self.ready

    @property
    def is_array(self) -> bool:
        """Return whether it was submitted with an index set."""
        return bool(self.spec.array)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Record of what one run holds on one node."""

    node: str
    cpus: float
    memory: int  # bytes
    gres: dict[str, tuple[int, ...]] = field(default_factory=dict)  # "name:type" -> slot numbers


def paused(earlier_s: float, since: float, until: float) -> float:
    """Seconds of suspension: those of earlier ones, and of one that lasts since ``since`` (0 = there is none)."""
    return earlier_s + (max(0.0, until - since) if since else 0.0)


def elapsed(began_at: float, until: float, paused_s: float) -> float | None:
    """Seconds that something ran, without those in which it was suspended (as Slurm counts, too); None where it never
    began. Everything that shows a run time takes it from here."""
    return max(0.0, until - began_at - paused_s) if began_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One started (or ended) element: a plain job's run, or one index of an array."""

    id: int
    job: int  # id of its submission
    rank: int
    run: int  # 1 for the first attempt
    state: State
    allocation: tuple[Allocation, ...]  # the first is where the script runs
    leased_at: float  # server time of the commit
    began_at: float = 0.0
    ended_at: float = 0.0
    code: int = 0  # stored exit code (model.states)
    reason: str = ""  # why it failed, for people
    cancelled: bool = False  # a cancel was asked for and must win
    #: what follows when this run is over, whatever its end: "" = as its policy says, "requeue", "hold" (requeue, held)
    then: str = ""
    suspended_at: float = 0.0  # server time since which it is suspended; 0 = it is not
    suspended_s: float = 0.0  # seconds of earlier suspensions: they do not count against the time limit
    memory_deaths: int = 0  # processes killed because memory ran out; known when it has ended
    guests: bool = False  # its nodes beside the first have a part in it (store.api.Start)

    def paused(self, now: float) -> float:
        """Seconds in which it was suspended by ``now``, or by its end."""
        return paused(self.suspended_s, self.suspended_at, self.ended_at or now)

    def elapsed(self, now: float) -> float | None:
        """Seconds that it has run by ``now``, or by its end, without those in which it was suspended."""
        return elapsed(self.began_at, self.ended_at or now, self.paused(now))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One COMMON step (number >= 2) of a run. Steps 0 and 1 follow from the element itself."""

    job: int  # the element's plain id
    run: int
    step: int
    name: str
    state: State
    node: str
    ntasks: int = 1
    cpus: float = 1.0
    memory: int = 0
    command: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0
    code: int = 0
    cpu_s: float = 0.0
    memory_peak: int = 0
    memory_deaths: int = 0  # processes killed because memory ran out
