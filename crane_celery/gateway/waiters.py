"""Waiting for jobs to end: one reader of the event stream wakes exactly those whose job moved.

The reader's thread runs only while somebody waits. A wake-up is a write to an eventfd, so a handler can listen to it
and to its client's connection at once. What a job's state is, the handler asks the store: events say when to look.
"""

import logging
import os
import threading
from collections.abc import Iterable
from typing import Any

from crane_celery import faults
from crane_celery.errors import CraneError
from crane_celery.model.event import Event, Position, ends, starts
from crane_celery.model.event_checks import UNREADABLE
from crane_celery.store.api import Store

log = logging.getLogger(__name__)

#: seconds that one read of the stream blocks; only ``stop`` waits for it
BLOCK_S = 5.0
#: what somebody waits for who waits for anything to happen: no job's id
ANYTHING = 0
_BATCH = 1000
_RETRY_S = 0.5


class Waiter:
    """Somebody who waits for some submissions. Use as a context manager; ``fd`` becomes readable at news."""

    def __init__(self, waiters: "Waiters", jobs: frozenset[int]) -> None:
        """Registered while used as a context: what happens in there is not missed."""
        self.fd = -1
        self.jobs = jobs
        self._waiters = waiters

    def __enter__(self) -> "Waiter":
        """Register, and start the reader if need be. Raises Unreachable."""
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._waiters.add(self)
        except BaseException:
            os.close(self.fd)
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        """Leave."""
        self._waiters.remove(self)
        os.close(self.fd)

    def clear(self) -> None:
        """Take the news."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return


class Waiters:
    """Everybody who waits, and the reader."""

    def __init__(self, store: Store) -> None:
        """Nothing runs until the first waiter comes."""
        self._store = store
        self._lock = threading.Lock()
        self._by_job: dict[int, set[Waiter]] = {}
        self._reader: threading.Thread | None = None
        self._stopped = threading.Event()

    def waiter(self, jobs: Iterable[int]) -> Waiter:
        """A waiter for these submissions' ends."""
        return Waiter(self, frozenset(jobs))

    def add(self, waiter: Waiter) -> None:
        """Register; the stream is read from before this moment on."""
        after = self._store.last_event()
        with self._lock:
            for job in waiter.jobs:
                self._by_job.setdefault(job, set()).add(waiter)
            if self._reader is None and not self._stopped.is_set():
                self._reader = threading.Thread(target=self._read, args=(after,), name="gateway-events", daemon=True)
                self._reader.start()

    def remove(self, waiter: Waiter) -> None:
        """Forget; the reader ends by itself when nobody is left."""
        with self._lock:
            for job in waiter.jobs:
                left = self._by_job.get(job, set())
                left.discard(waiter)
                if not left:
                    self._by_job.pop(job, None)

    def stop(self) -> None:
        """Wake everybody for the last time; the reader ends at its next wake-up."""
        self._stopped.set()
        self._wake_all()

    @property
    def stopped(self) -> bool:
        """Return whether the gateway is going down."""
        return self._stopped.is_set()

    def _read(self, after: str) -> None:
        """The reader: follow the stream while anybody waits."""
        while not self._may_end():
            try:
                events = self._store.events(after, BLOCK_S, _BATCH)
                if len(events) >= _BATCH and Position.parse(after) < Position.parse(self._store.first_event()):
                    self._wake_all()  # trimmed under us: anything may have happened
            except CraneError as error:
                log.warning("cannot read the event stream: %s", error.message)
                self._stopped.wait(_RETRY_S)
                self._wake_all()
                continue
            if events:
                after = events[-1].seq
                self._wake(moved_safely(events))
                if any(event.kind == UNREADABLE for event in events):
                    self._wake_all()  # so it may have been about anything

    def _may_end(self) -> bool:
        with self._lock:
            if self._by_job and not self._stopped.is_set():
                return False
            self._reader = None
            return True

    def _wake(self, jobs: Iterable[int]) -> None:
        with self._lock:
            found = {waiter for job in jobs for waiter in self._by_job.get(job, ())}
            for waiter in found:
                os.eventfd_write(waiter.fd, 1)

    def _wake_all(self) -> None:
        with self._lock:
            jobs = list(self._by_job)
        self._wake(jobs)


def moved_safely(events: list[Event]) -> set[int]:
    """The submissions that moved; an event that makes no sense costs its own news only."""
    moved: set[int] = set()
    for event in events:
        try:
            moved |= jobs_moved([event])
        except Exception:
            faults.record(f"an event of kind {event.kind} could not be read:", event.seq)
    return moved


def jobs_moved(events: Iterable[Event]) -> set[int]:
    """The submissions of which something started or ended, or was requeued, and ANYTHING."""
    moved = {ANYTHING}
    for event in events:
        data: dict[str, Any] = event.data
        if event.kind == "start":
            moved.update(row.job for row in starts(data))
        elif event.kind in ("end", "again"):
            moved.update(row.job for row in ends(data))
        elif event.kind == "cancel":
            moved.add(data["job"])
        elif event.kind == "revive":
            moved.add(data["job"]["id"])
        elif event.kind == "forget":
            moved.update(data["jobs"])
    return moved
