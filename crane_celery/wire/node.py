"""Define what the processes of a node say to each other, by name: launches, starts, what spawners hear, what
shepherds report.

On the wire, and in journals, a fact is a list: a letter that says which, then its fields in order; so what an older
version wrote is read as before. What was added to a fact later has a default and stands last. Standard library only.
Times are seconds on the host's monotonic clock.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

Row = list[Any]


class LaunchRow(NamedTuple):
    """One run to start, from agent to shepherd."""

    id: int
    run: int
    template: str  # which of the frame's templates (``jobs``)
    environ: dict[str, str]
    paths: tuple[str, str, str]  # files of standard input, output and error ("" = joined)
    devices: tuple[Any, ...] = ()  # device files: workers.common.devices


class StartRow(NamedTuple):
    """One process to start, from shepherd to spawner."""

    key: str  # job.run.step.task
    template: str  # which of the frame's templates (``jobs``)
    environ: dict[str, str]
    leaf: str  # name of the cgroup leaf that it starts in
    paths: tuple[str, str, str]
    fds: int  # how many descriptors of the caller go with it, in place of the paths


# -- what a spawner tells of its processes


class Started(NamedTuple):
    """A process has been spawned; a pid of 0 is not known."""

    key: str
    pid: int
    start: int  # clock ticks since boot
    at: float


class Failed(NamedTuple):
    """A process was never started."""

    key: str
    stage: str  # cwd, input, output, exec, spawn, cgroup
    number: int  # errno
    text: str
    at: float


class Exited(NamedTuple):
    """A process has ended: >= 0 an exit code, < 0 minus the signal, None where nobody saw it."""

    key: str
    status: int | None
    began: float
    ended: float
    cpu_s: float
    peak: int  # bytes


class Noted(NamedTuple):
    """A line was written into a job's output."""

    key: str


SpawnerEvent = Started | Failed | Exited | Noted


# -- what a shepherd reports


class RunBegan(NamedTuple):
    """A run's script has begun."""

    id: int
    run: int
    began: float


class RunEnded(NamedTuple):
    """A run is over on this node (``status``, ``cause``, ``number``, ``text``: workers.shepherd.records.Ending)."""

    id: int
    run: int
    status: int | None
    cause: str
    began: float  # 0 = it has not
    ended: float
    cpu_s: float = 0.0
    peak: int = 0  # bytes
    number: int = 0
    text: str = ""
    memory_deaths: int = 0


class RunMoved(NamedTuple):
    """A run was suspended, or goes on."""

    id: int
    run: int
    state: str
    at: float


class NodeUnfit(NamedTuple):
    """The node is to be drained, and why."""

    why: str


class StepReport(NamedTuple):
    """A common step as it is now."""

    id: int
    run: int
    step: int
    name: str
    ntasks: int
    cpus: float
    memory: int  # bytes
    command: str
    status: int | None
    cause: str
    began: float
    ended: float
    cpu_s: float
    peak: int  # bytes
    over: bool
    number: int
    text: str
    memory_deaths: int = 0


Report = RunBegan | RunEnded | RunMoved | NodeUnfit | StepReport

_EVENTS: dict[str, type[SpawnerEvent]] = {"s": Started, "f": Failed, "x": Exited, "n": Noted}
_REPORTS: dict[str, type[Report]] = {"b": RunBegan, "e": RunEnded, "m": RunMoved, "d": NodeUnfit, "s": StepReport}
_LETTERS: dict[type, str] = {cls: letter for table in (_EVENTS, _REPORTS) for letter, cls in table.items()}


def row(fact: SpawnerEvent | Report) -> Row:
    """Return a fact as it stands on the wire."""
    return [_LETTERS[type(fact)], *fact]


def event(row: Row) -> SpawnerEvent:
    """Return a spawner's event. Raises KeyError, TypeError where it is none."""
    return _EVENTS[row[0]](*row[1:])


def begins(rows: Iterable[Row]) -> set[tuple[int, int]]:
    """Return the runs whose begin is among rows of reports."""
    return {(row[1], row[2]) for row in rows if row[0] == "b"}


def ends(rows: Iterable[Row]) -> set[tuple[int, int]]:
    """Return the runs whose end is among rows of reports."""
    return {(row[1], row[2]) for row in rows if row[0] == "e"}


# -- rows of reports as they are sent: behind their number


def numbered(report: Report, number: int = 0) -> Row:
    """Return a report as it is sent; a number of 0 is not acknowledged."""
    return [number, *row(report)]


def report_of(row: Row) -> Report | None:
    """Return what a numbered row reports, None for an unknown kind. Raises TypeError where fields are missing."""
    kind = _REPORTS.get(row[1])
    return None if kind is None else kind(*row[2:])


def readable(rows: Iterable[Row]) -> list[Report]:
    """Return what numbered rows report, without those that make no sense."""
    found = []
    for each in rows:
        try:
            report = report_of(each)
        except (TypeError, IndexError):
            continue
        if report is not None:
            found.append(report)
    return found


def last_number(rows: Iterable[Row]) -> int:
    """Return the highest number of rows, 0 where nothing has one."""
    return max((row[0] for row in rows), default=0)


def name_of(row: Row) -> str:
    """Return a name for a numbered row: its kind, and the run or step that it is about."""
    return f"{row[1]}-{'.'.join(str(part) for part in row[2 : 5 if row[1] == 's' else 4])}"
