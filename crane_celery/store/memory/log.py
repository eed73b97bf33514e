"""The in-memory twin's events and the records that they make. One lock makes every verb atomic."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from crane_celery.errors import NotFound, StaleFence
from crane_celery.lifecycle.machine import Cause, may
from crane_celery.lifecycle.replay import Records, apply
from crane_celery.model.event import Event
from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node
from crane_celery.model.states import HOLDING


class Log:
    """Appends events, each of which changes the records; answers what can be read off these."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` stands for the server's: seconds since the epoch."""
        self.clock = clock
        self.lock = threading.RLock()
        self.grown = threading.Condition(self.lock)
        self.records = Records()
        self.entries: list[Event] = []
        self.cursors: dict[str, str] = {}

    def now(self) -> float:
        """Server time, in microseconds as a server has it."""
        return round(self.clock(), 6)

    def append(self, *events: tuple[str, dict[str, object]]) -> str:
        """Append the events of one verb under one sequence number, and let them change the records."""
        at = self.now()
        last = self.entries[-1].seq if self.entries else "0-0"
        ms, n = (int(part) for part in last.split("-"))
        seq = f"{int(at * 1000)}-0" if int(at * 1000) > ms else f"{ms}-{n + 1}"
        for kind, data in events:
            event = Event(seq, at, kind, data)
            self.entries.append(event)
            apply(self.records, event)
        self.grown.notify_all()
        return seq

    def last_event(self) -> str:
        """Id of the newest entry."""
        return self.entries[-1].seq if self.entries else "0"

    def cursor(self, consumer: str) -> str:
        """Return where a named consumer stands."""
        return self.cursors.get(consumer, "0")

    def fenced(self, fence: int) -> None:
        """Raise StaleFence unless this is the newest fence."""
        if fence != self.records.fence or not fence:
            raise StaleFence(f"fence {fence}: the newest is {self.records.fence or 'none yet'}")

    def check_epoch(self, node: str, epoch: int) -> None:
        """Raise StaleFence unless this is the node's newest epoch."""
        known = self.records.nodes.get(node)
        if not known or known.epoch != epoch:
            raise StaleFence(f"epoch {epoch} of the node: the newest is {known.epoch if known else 'none'}")

    def past(self, at: float) -> float:
        """Return a node's idea of a time: never later than now, now when it has none."""
        return round(at, 6) if 0 < at <= self.now() else self.now()

    def job(self, job: int) -> Job:
        """Return a submission. Raises NotFound."""
        record = self.records.jobs.get(job)
        if not record:
            raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
        return record

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""
        with self.lock:
            if ids is None:
                return [job for _, job in sorted(self.records.jobs.items()) if not job.ended_at]
            return [self.records.jobs[i] for i in ids if i in self.records.jobs]

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id, or all that hold an allocation."""
        with self.lock:
            known = self.records.elements
            if ids is None:
                return [element for _, element in sorted(known.items()) if element.state in HOLDING]
            return [known[i] for i in ids if i in known]

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""
        with self.lock:
            return [node for _, node in sorted(self.records.nodes.items())]

    def live(self, job: Job) -> list[Element]:
        """Elements of a submission that hold an allocation, by rank. Costs all elements known: a twin may."""
        mine = (e for e in self.records.elements.values() if e.job == job.id and e.state in HOLDING)
        return sorted(mine, key=lambda e: e.rank)

    def runs(self, node: str) -> list[Element]:
        """Runs that hold something on the node."""
        return [e for e in self.elements() if any(part.node == node for part in e.allocation)]

    def held_run(self, node: str, id_: int, run: int) -> Element | None:
        """Return the element whose present run this is, with the node as its first."""
        e = self.records.elements.get(id_)
        return e if e and e.run == run and may(e.state, Cause.END) and e.allocation[0].node == node else None
