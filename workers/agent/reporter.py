"""Define what the shepherd tells goes to the store, batch by batch: the next gathers while one is under way."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from crane_celery.errors import StaleFence, Unreachable
from crane_celery.model.job import StepRow
from crane_celery.model.states import State
from crane_celery.store.api import Began, Ended, Moved, Report
from crane_celery.wire.node import NodeUnfit, RunBegan, RunEnded, RunMoved, StepReport, last_number, report_of
from workers.agent.outcome import judge

log = logging.getLogger(__name__)
#: rows of one call: the server is not to be blocked over 50 ms
_MOST = 400
_BACK_OFF_S = (0.1, 5.0)
#: refusals of a batch after which its rows are tried one by one
_REFUSALS = 3


class News(NamedTuple):
    """Rows of one frame: their shepherd's generation, the last number among them (0 = nothing to acknowledge)."""

    generation: int
    rows: list[list[Any]]


def to_report(rows: list[list[Any]], offset: float) -> Report:
    """Rows as workers.shepherd.runs makes them, behind their sequence number. ``offset``: server time - monotonic time.

    The begin of a run or step whose end is in the same batch is left out: the end says when it began.
    """
    reports = [report_of(row) for row in rows]
    ended = [_ended(each, offset) for each in reports if isinstance(each, RunEnded)]
    over = {(end.id, end.run) for end in ended}
    began = [
        Began(each.id, each.run, each.began + offset)
        for each in reports
        if isinstance(each, RunBegan) and (each.id, each.run) not in over
    ]
    steps = {(each.id, each.run, each.step): _step(each, offset) for each in reports if isinstance(each, StepReport)}
    moved = [Moved(each.id, each.run, each.state, each.at + offset) for each in reports if isinstance(each, RunMoved)]
    return Report(began, ended, list(steps.values()), moved)


def _ended(end: RunEnded, offset: float) -> Ended:
    verdict = judge(end.status, end.cause, end.number, end.text)
    return Ended(
        end.id, end.run, verdict.state.value, verdict.code, end.began + offset if end.began else 0.0,
        end.ended + offset, verdict.reason, end.cpu_s, end.peak, end.memory_deaths,
    )  # fmt: skip


def _step(step: StepReport, offset: float) -> StepRow:
    verdict = judge(step.status, step.cause, step.number, step.text) if step.over else None
    return StepRow(
        job=step.id, run=step.run, step=step.step, name=step.name, state=verdict.state if verdict else State.RUNNING,
        node="", ntasks=step.ntasks, cpus=step.cpus, memory=step.memory, command=step.command,
        began_at=(step.began or step.ended) + offset, ended_at=step.ended + offset if step.over else 0.0,
        code=verdict.code if verdict else 0, cpu_s=step.cpu_s, memory_peak=step.peak, memory_deaths=step.memory_deaths,
    )  # fmt: skip


class Uplink:
    """The thread that reports."""

    def __init__(
        self, send: Callable[[Report], None], ack: Callable[[int, int], object], offset: Callable[[], float],
        drain: Callable[[str], None], aside: Callable[[list[Any], Exception], None],
    ) -> None:  # fmt: skip
        """``send`` raises CraneError when the store did not take it, ``drain`` (gets a reason) likewise; ``ack`` gets
        (generation, last number); ``aside`` gets a row that cannot be reported, and why."""
        self._aside = aside
        self._send, self._ack, self._offset, self._drain = send, ack, offset, drain
        self._queue: queue.Queue[News | None] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Report what is there, once, and end."""
        self._stop.set()
        self._queue.put(None)
        self._thread.join(5)

    def put(self, news: News) -> None:
        """Take rows; never blocks."""
        self._queue.put(news)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            rows = list(first.rows)
            while len(rows) < _MOST:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                batch.append(more)
                rows += more.rows
            if self._deliver(rows):
                for news in batch:
                    last = last_number(news.rows)
                    if last:
                        self._ack(news.generation, last)

    def _deliver(self, rows: list[list[Any]]) -> bool:
        """Report until the store has all; False when we are to stop first."""
        pause, refused = _BACK_OFF_S[0], 0
        while True:
            try:
                self._report(rows)
                return True
            except StaleFence:
                log.warning("the node was written off: it registers again")
            except Unreachable as error:
                log.warning("report not taken: %s", error.message)
            except Exception as error:
                refused += 1
                log.warning("report not taken: %s", error)
                if refused >= _REFUSALS and (left := self._sifted(rows)) is not None:
                    rows = left
                    continue
            if self._stop.wait(pause):
                return False
            pause = min(2 * pause, _BACK_OFF_S[1])

    def _report(self, rows: list[list[Any]]) -> None:
        for row in rows:
            report = report_of(row)
            if isinstance(report, NodeUnfit):  # before the end is told: what runs again must not come back here
                self._drain(report.why)
        for at in range(0, len(rows), _MOST):
            self._send(to_report(rows[at : at + _MOST], self._offset()))

    def _sifted(self, rows: list[list[Any]]) -> list[list[Any]] | None:
        """Report row by row and set aside what is refused; what is left to report. None when nothing was taken at all:
        then it is not the rows that are at fault. To report a row again changes nothing."""
        bad: list[tuple[list[Any], Exception]] = []
        for row in rows:
            try:
                self._report([row])
            except (StaleFence, Unreachable):
                return None
            except Exception as refusal:
                bad.append((row, refusal))
        if len(bad) == len(rows) > 0:
            return None
        for row, error in bad:
            self._aside(row, error)
        return []
