"""Define what the shepherd keeps of runs and their steps, in memory. Seconds, on the host's monotonic clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crane_celery.wire.node import RunEnded, StepReport

PRIMARY = 1
#: as a step's number in a signal: the script's own process alone (model.states.SCRIPT)
SCRIPT = 0


class Ending(NamedTuple):
    """Record of how a run or step ended, as facts; workers.agent.outcome turns them into a state and a stored code.

    ``status``: >= 0 an exit code, < 0 minus the signal, None unknown (nobody saw it). ``cause``: why it was stopped, or
    "": cancel, limit, deadline, stale, oom, orphan (crun vanished), job (the job ended), or the stage at which a launch
    failed (prolog, cwd, input, output, exec, spawn, cgroup), then with ``number`` (errno) and ``text``.
    """

    status: int | None
    cause: str
    began: float
    ended: float
    cpu_s: float
    memory_peak: int
    number: int = 0
    text: str = ""
    #: processes killed because memory ran out, in all its leaves
    memory_deaths: int = 0

    def of_run(self, key: tuple[int, int]) -> RunEnded:
        """Return it as the report of a run's end."""
        return RunEnded(
            *key, self.status, self.cause, self.began, self.ended, self.cpu_s, self.memory_peak, self.number, self.text,
            self.memory_deaths,
        )  # fmt: skip


class Killed(NamedTuple):
    """Record of how the last step ended that was killed, or had a child killed: whether for want of memory, and
    when."""

    memory: bool
    at: float


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of a run: 1 the script, >= 2 made by crun. Its tasks' processes are told of by the spawner."""

    number: int
    ntasks: int = 1
    cpus: float = 0.0
    memory: int = 0
    name: str = ""
    command: str = ""
    #: seconds that it may run, without the time its run was suspended; 0 = no limit of its own
    limit: float = 0.0
    #: how long its run had been suspended when it was made
    suspended_s: float = 0.0
    #: tasks sent to the spawner of which neither start nor failure was heard
    flying: int = 0
    began: float = 0.0
    ended: float = 0.0
    #: task -> status (None = lost)
    status: dict[int, int | None] = field(default_factory=dict)
    pids: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: tasks whose epilog is under way: its process (pid, start), (0, 0) = sent, None = not sent yet (task_epilog)
    epilogs: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    cause: str = ""
    number_text: tuple[int, str] = (0, "")
    cpu_s: float = 0.0
    peak: int = 0
    #: processes killed in its leaf because memory ran out; known when it is over
    memory_deaths: int = 0
    #: a SIGKILL was sent to it on somebody's word
    killed: bool = False
    #: signals that wait for starts in flight
    owed: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Return whether every task has ended."""
        return len(self.status) >= self.ntasks

    @property
    def over(self) -> bool:
        """Return whether every task has ended, and every task's epilog."""
        return self.done and not self.epilogs

    @property
    def awaited(self) -> list[int]:
        """Tasks without an end; their epilogs, as ~task."""
        return [task for task in range(self.ntasks) if task not in self.status] + [~task for task in self.epilogs]

    @property
    def worst(self) -> int | None:
        """The status that stands for the step: lost, else a signal, else the highest code."""
        values = list(self.status.values())
        if None in values or not values:
            return None
        known = [value for value in values if value is not None]
        signals = [value for value in known if value < 0]
        return min(signals) if signals else max(known)


@dataclass(slots=True, kw_only=True)
class Run:
    """One attempt at a job on this node."""

    id: int
    run: int
    uid: int
    gid: int
    groups: list[int]
    cpus: float
    memory: int
    grace: float
    #: seconds that it may run, counted from its begin, without the time it was suspended; 0 = no limit
    limit: float
    pen: str
    #: monotonic time at which it is over whatever it does; 0 = none
    deadline: float = 0.0
    #: signals before the limit: [number, seconds before, scope]
    warn: list[list[Any]] = field(default_factory=list)
    #: places in ``warn`` of those that were sent
    warned: set[int] = field(default_factory=set)
    #: monotonic time since which it is suspended; 0 = it is not
    suspended_at: float = 0.0
    suspended_s: float = 0.0  # earlier ones
    #: number of the timers that count
    alarm: int = 0
    #: prolog and epilog with their times and their environment (prolog.py); empty = none. ``place`` where the run
    #: has a part on several nodes: 0 = the script's, above = a guest's
    hooks: dict[str, Any] = field(default_factory=dict)
    #: what it waits for ("", prolog, guest, epilog, done), and the process: (pid, start)
    stage: str = ""
    hook: tuple[int, int] = (0, 0)
    marker: str = ""
    steps: dict[int, Step] = field(default_factory=dict)
    next_step: int = 2
    #: started by this very shepherd, not by one before it
    native: bool = False
    #: the kernel's count of memory deaths in the script's leaf when the run took it
    deaths_before: int = 0
    #: memory deaths in the leaves of steps that have ended
    memory_deaths: int = 0
    last_killed: Killed | None = None
    #: file of standard error ("" = none): told of memory deaths
    output: str = ""
    #: that was done, or is under way
    output_told: bool = False
    #: numbers of crun steps that have ended
    past: set[int] = field(default_factory=set)
    #: the primary is over and what is left of the job is being killed
    draining: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """(job, run): names it for ever."""
        return self.id, self.run

    @property
    def guest(self) -> bool:
        """Return whether its script runs on another node."""
        place: int = self.hooks.get("place", -1)
        return place > 0

    @property
    def primary(self) -> Step:
        """Step 1."""
        return self.steps[PRIMARY]

    @property
    def flying(self) -> bool:
        """Return whether a start is under way in its cgroup: then nothing may be killed there."""
        return any(step.flying for step in self.steps.values())

    def staged(self) -> list[Any]:
        """Its stage, for the journal; with how the script ended, where that is known."""
        step = self.primary
        ended = [step.worst, step.cause, step.began, step.ended, step.cpu_s, step.peak, *step.number_text]
        return [self.id, self.run, self.stage, *self.hook, *(ended if step.over else [])]

    def restage(self, stage: str, pid: int, start: int, ended: list[Any]) -> None:
        """The same, back from the journal."""
        self.stage, self.hook, step = stage, (pid, start), self.primary
        if ended:
            known = Ending(*ended)
            step.status[0], step.cause, step.began, step.ended = known.status, known.cause, known.began, known.ended
            step.cpu_s, step.peak, step.number_text = known.cpu_s, known.memory_peak, (known.number, known.text)

    def line(self) -> "RunLine":
        """For the journal."""
        return RunLine(
            self.id, self.run, self.uid, self.gid, self.groups, self.cpus, self.memory, self.grace, self.limit,
            self.pen, self.deadline, self.warn, self.suspended_at, self.suspended_s, self.hooks,
            sorted(self.warned), self.deaths_before, self.output,
        )  # fmt: skip


class RunLine(NamedTuple):
    """A run in the journal; the last ones are not in those of older versions."""

    id: int
    run: int
    uid: int
    gid: int
    groups: list[int]
    cpus: float
    memory: int
    grace: float
    limit: float
    pen: str
    deadline: float
    warn: list[list[Any]]
    suspended_at: float
    suspended_s: float
    hooks: dict[str, Any]
    warned: Sequence[int] = ()
    deaths_before: int = 0
    output: str = ""


def run_from(line: list[Any]) -> Run:
    """Back from the journal, with its primary step."""
    known = RunLine(*line)._asdict()
    made = Run(**{**known, "warned": set(known["warned"])})
    made.steps[PRIMARY] = Step(number=PRIMARY)
    return made


def memory_line(run: Run) -> list[Any]:
    """Return what is known of memory deaths in a run's steps, for the journal."""
    return ["m", *run.key, run.memory_deaths, run.last_killed, run.output_told]


def task_key(run: Run, step: int, task: int) -> str:
    """Return what the spawner knows a process by."""
    return f"{run.id}.{run.run}.{step}.{task}"


def parse_key(key: str) -> tuple[tuple[int, int], int, int]:
    """((job, run), step, task)."""
    id_, run, step, task = (int(part) for part in key.split("."))
    return (id_, run), step, task


def leaf_name(run: Run, step: int) -> str:
    """Return what the spawners know a step's leaf by."""
    return run.pen if step == PRIMARY else f"{run.pen}/{step}"


def step_report(run: Run, step: Step) -> StepReport:
    """Return a common step as it is reported: began when it has no end."""
    return StepReport(
        run.id, run.run, step.number, step.name, step.ntasks, step.cpus, step.memory, step.command,
        step.worst if step.over else None, step.cause, step.began, step.ended, step.cpu_s, step.peak,
        step.over, *step.number_text, step.memory_deaths,
    )  # fmt: skip


def status_text(status: int) -> str:
    """``code:signal``, as hooks are told of an end."""
    return f"{status}:0" if status >= 0 else f"0:{-status}"


def of_task(step: int, task: int, *, slurm: bool) -> dict[str, str]:
    """The environment that a task of a crun step adds to its caller's."""
    made = {"CRANE_STEP_ID": str(step), "CRANE_PROCID": str(task), "CRANE_PROC_ID": str(task)}
    if slurm:
        rank = str(task)
        made |= dict.fromkeys(
            ("SLURM_STEP_ID", "SLURM_STEPID"), str(step - 2)
        )  # Slurm numbers from 0 what we do from 2
        made |= {"SLURM_PROCID": rank, "SLURM_LOCALID": rank, "SLURM_GTIDS": rank}
    return made


def of_step(env: Mapping[str, str], ntasks: int) -> dict[str, str]:
    """Return what a step on one node adds to the environment of its caller, which is in Slurm's dialect."""
    return {
        **dict.fromkeys(("SLURM_NTASKS", "SLURM_NPROCS", "SLURM_STEP_NUM_TASKS"), str(ntasks)),
        "SLURM_STEP_TASKS_PER_NODE": str(ntasks),
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_NODELIST": env.get("SLURMD_NODENAME", ""),
    }
