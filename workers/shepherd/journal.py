"""The shepherd's journal: what it was asked for and what came of it, so that `kill -9` of it loses and doubles nothing.

Lines of JSON, appended before the act they speak of: ``l`` a run accepted (before it goes to the spawner), ``c`` a
crun step, ``d`` that step is over, ``k`` a stop asked for, ``o`` its times, ``w`` signals
before its limit that were sent, ``m`` memory deaths in its steps, ``h`` a prolog or epilog, ``t`` a
tombstone (stopped before it came), ``r`` a report (before it is sent), ``a`` reports up to here are with the store,
``n`` never started after all, ``z`` a run is closed, ``q`` the last number given. It is written again, short, when it
has grown. No fsync: what it must outlive is a process; after a power cut nothing runs any more, and another boot id
voids it.
"""

import contextlib
import json
import os
from collections import OrderedDict
from typing import Any

from crane_celery import faults
from crane_celery.wire.node import Report, begins, row
from workers.shepherd.decode_own import check_line
from workers.shepherd.records import Killed, Run, Step, memory_line, run_from

_COMPACT = 8 << 20
#: closed runs that are remembered, to know a late second launch; a launch message expires long before so many more ran
_REMEMBER = 20_000
_ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
Key = tuple[int, int]


def _private(path: str, flags: int) -> int:
    """Open for the shepherd alone: command lines of everybody's steps are in it."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _step_line(run: Run, step: Step) -> list[Any]:
    return [
        "c", run.id, run.run, step.number, step.ntasks, step.cpus, step.memory, step.name, step.command, step.limit,
        step.suspended_s,
    ]  # fmt: skip


class Ledger:
    """Runs, tombstones and unacknowledged reports, mirrored in the journal."""

    def __init__(self, path: str, boot: str) -> None:
        """Read a journal of this boot, if there is one, and go on with it."""
        self.runs: dict[Key, Run] = {}
        self.tombs: OrderedDict[Key, None] = OrderedDict()
        self.closed: OrderedDict[Key, None] = OrderedDict()
        self.reports: OrderedDict[int, list[Any]] = OrderedDict()
        self.stops: dict[tuple[Key, int], tuple[str, float]] = {}  # (run, step) -> (cause, when)
        self.seq = 0
        self._path = path
        self._boot = boot
        self._pending: list[str] = []
        self._fd = -1
        self._limit = _COMPACT
        self._replay()
        self._compact()

    # -- writing

    def note(self, *line: Any) -> None:
        """Add a line to what `commit` writes."""
        self._pending.append(_ENCODE(line))

    def commit(self) -> None:
        """Write what was noted. Raises OSError when the disk takes no more; the lines are kept for another try."""
        if not self._pending:
            return
        data = ("\n".join(self._pending) + "\n").encode()
        size = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                raise OSError(28, "No space left on device")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise
        self._pending.clear()
        if size + len(data) > self._limit:
            self._compact()

    def probe(self) -> None:
        """Write a line that changes nothing. Raises OSError when the disk takes no more."""
        mark = self.mark()
        self.note("q", self.seq)
        try:
            self.commit()
        except OSError:
            self.rollback(mark)
            raise

    def mark(self) -> int:
        """Return where `rollback` goes back to."""
        return len(self._pending)

    def rollback(self, mark: int) -> None:
        """Take back what was noted since: it will not happen."""
        del self._pending[mark:]

    def accept(self, run: Run) -> None:
        """A run that will go to the spawner."""
        self.runs[run.key] = run
        self.note("l", run.line())

    def step(self, run: Run, step: Step) -> None:
        """A crun step that will go to the spawner."""
        self.note(*_step_line(run, step))

    def order(self, run: Run) -> None:
        """Record that a run's desired state has changed, or was reached."""
        self.note("o", *run.key, run.limit, run.deadline, run.suspended_at, run.suspended_s)

    def warned(self, run: Run) -> None:
        """Note which of the signals before its limit were sent."""
        self.note("w", *run.key, sorted(run.warned))

    def memory(self, run: Run) -> None:
        """Note what is known of memory deaths in a run."""
        self.note(*memory_line(run))

    def stage(self, run: Run) -> None:
        """A run waits for a program, or does so no more."""
        self.note("h", *run.staged())

    def stop(self, key: Key, step: int, cause: str, when: float) -> None:
        """Someone, or a limit, asked it to end; the first cause counts."""
        if (key, step) not in self.stops:
            self.stops[key, step] = (cause, when)
            self.note("k", *key, step, cause, when)

    def bury(self, key: Key) -> None:
        """Stopped before it came: when it comes it must not run."""
        if key not in self.tombs:
            self._remember(self.tombs, key)
            self.note("t", *key)

    def report(self, report: Report, *, durable: bool) -> int:
        """Number a report. Durable ones (ends) survive a kill; a begin is told again from what runs."""
        self.seq += 1
        self.reports[self.seq] = fact = row(report)
        if durable:
            self.note("r", self.seq, fact)
        return self.seq

    def ack(self, seq: int) -> None:
        """The store has everything up to here."""
        while self.reports and next(iter(self.reports)) <= seq:
            self.reports.popitem(last=False)
        self.note("a", seq)

    def drop_step(self, run: Run, number: int) -> None:
        """A crun step is over and reported."""
        run.steps.pop(number, None)
        run.past.add(number)
        self.stops.pop((run.key, number), None)
        self.note("d", run.id, run.run, number)

    def forget(self, key: Key) -> None:
        """It never started: a second launch is welcome."""
        self._clear(key)
        self.note("n", *key)

    def close(self, key: Key) -> None:
        """It has ended and that is reported."""
        self._clear(key)
        self._remember(self.closed, key)
        self.note("z", *key)

    def _clear(self, key: Key) -> None:
        run = self.runs.pop(key, None)
        for step in run.steps if run is not None else ():
            self.stops.pop((key, step), None)

    @staticmethod
    def _remember(where: OrderedDict[Key, None], key: Key) -> None:
        where[key] = None
        if len(where) > _REMEMBER:
            where.popitem(last=False)

    # -- reading

    def _replay(self) -> None:
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return
        if not lines or lines[0] != _ENCODE(["boot", self._boot]).encode():
            return
        for line in lines[1:]:
            self._read(line)
        self._pending.clear()

    def _read(self, line: bytes) -> None:
        """Apply one line; one that cannot be read costs the others nothing."""
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):  # torn by a full disk: it was never acted on
            return
        try:
            check_line(value)
            self._apply(value)
        except Exception:
            faults.record("a line of the journal was passed over:", line)

    def _apply(self, line: list[Any]) -> None:
        match line:
            case ["l", about]:
                run = run_from(about)
                self.runs[run.key] = run
            case ["c" | "d" as kind, id_, run_, number, *about]:
                self._apply_step(kind, (id_, run_), number, about)
            case ["k", id_, run_, step, cause, when]:
                self.stops.setdefault(((id_, run_), step), (cause, when))
            case ["o" | "h" | "w" | "m" as kind, id_, run_, *about]:
                if known := self.runs.get((id_, run_)):
                    self._apply_state(kind, known, about)
            case ["t", id_, run_]:
                self.tombs[id_, run_] = None
            case ["r", seq, fact]:
                self.reports[seq] = fact
                self.seq = max(self.seq, seq)
            case ["a", seq]:
                self.seq = max(self.seq, seq)
                self.ack(seq)
            case ["q", seq]:
                self.seq = seq
            case ["n", id_, run_]:
                self._clear((id_, run_))
            case ["z", id_, run_]:
                self._clear((id_, run_))
                self._remember(self.closed, (id_, run_))

    @staticmethod
    def _apply_state(kind: str, run: Run, about: list[Any]) -> None:
        if kind == "o":
            run.limit, run.deadline, run.suspended_at, run.suspended_s = about
        elif kind == "w":
            run.warned = set(about[0])
        elif kind == "m":
            run.memory_deaths, killed, run.output_told = about
            run.last_killed = Killed(*killed) if killed else None
        else:
            stage, pid, start, *ended = about
            run.restage(stage, pid, start, ended)

    def _apply_step(self, kind: str, key: Key, number: int, about: list[Any]) -> None:
        run = self.runs.get(key)
        if run is None:
            return
        run.next_step = max(run.next_step, number + 1)
        if kind == "d":
            run.steps.pop(number, None)
            run.past.add(number)
            return
        ntasks, cpus, memory, name, command, *times = about
        limit, suspended_s = times or (0.0, 0.0)  # a journal of before this field was
        run.steps[number] = Step(
            number=number, ntasks=ntasks, cpus=cpus, memory=memory, name=name, command=command, limit=limit,
            suspended_s=suspended_s,
        )  # fmt: skip

    def _compact(self) -> None:
        lines: list[list[Any]] = [["boot", self._boot], ["q", self.seq]]
        lines += [["z", *key] for key in self.closed] + [["t", *key] for key in self.tombs]
        for run in self.runs.values():
            lines.append(["l", run.line()])
            lines += [_step_line(run, step) for step in run.steps.values() if step.number > 1]
            lines += [["d", run.id, run.run, number] for number in sorted(run.past)]
            lines += [["h", *run.staged()]] if run.stage else []
            lines += [memory_line(run)] if run.memory_deaths or run.last_killed or run.output_told else []
        lines += [["k", *key, step, cause, when] for (key, step), (cause, when) in self.stops.items()]
        lines += [["r", seq, fact] for seq, fact in self.reports.items() if not begins([fact])]
        data = "".join(_ENCODE(line) + "\n" for line in lines).encode()
        fresh = self._path + ".new"
        with open(fresh, "wb", opener=_private) as file:
            file.write(data)
        os.replace(fresh, self._path)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._limit = len(data) + _COMPACT
