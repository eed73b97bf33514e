"""The live records in memory, kept current by the event stream, for listings and for cancelling by condition.

To read all of them from the store costs 50 us a submission; the stream tells the few that changed. Whoever asks first
reads what has happened by now (``current``), so a submission that anybody has the id of is there. A thread follows the
stream while somebody has asked within ``KEEP_S``, so that the next one finds little to read; nobody waits for it.

Events change the records by lifecycle.replay; what they end is dropped (there: ``drop_ended``, which says what is then
true of the counters of a submission).
"""

import logging
import threading
import time
from typing import NamedTuple

from crane_celery import faults
from crane_celery.errors import CraneError
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle import replay
from crane_celery.model.event import Event, Position
from crane_celery.model.event_checks import UNREADABLE
from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node
from crane_celery.model.states import HOLDING
from crane_celery.store.api import Store

log = logging.getLogger(__name__)

#: seconds after the last question for which the stream is followed
KEEP_S = 60.0
#: seconds that one read of the stream blocks
BLOCK_S = 5.0
#: events are read once none has come for so long, or so long after the first
CALM_S, GATHER_S = 0.1, 3.0
RETRY_S = 1.0
_BATCH = 500
#: kinds of events that change nothing that is kept here
_NOT_KEPT = frozenset({"step", "lead"})


class Records(NamedTuple):
    """Everything alive at one moment; never changed afterwards."""

    #: differs from that of any other moment at which something was different
    version: int
    jobs: list[Job]  # by id
    elements: list[Element]  # holding an allocation
    nodes: list[Node]


class Live:
    """Follows one store; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        """Nothing is read before somebody asks."""
        self._store = store
        self._lock = threading.Lock()
        self._seq = ""
        self._records = replay.Records()
        self._shot = Records(0, [], [], [])
        self._changed = self._doubtful = False
        self._asked_at = 0.0
        self._follower: threading.Thread | None = None
        self._stopped = threading.Event()
        self._stopped.set()

    def current(self) -> Records:
        """The records as of now, or a little later. Raises Unreachable."""
        self.wanted()
        with self._lock:
            self._catch_up()
            if self._changed:
                known = self._records
                jobs = [known.jobs[id_] for id_ in sorted(known.jobs)]
                elements = [known.elements[id_] for id_ in sorted(known.elements)]
                nodes = [known.nodes[name] for name in sorted(known.nodes)]
                self._shot = Records(self._shot.version + 1, jobs, elements, nodes)
                self._changed = False
            return self._shot

    def running(self, job: int, ranks: RangeSet) -> list[Element]:
        """Return what of these ranks holds an allocation, by rank. Raises Unreachable."""
        if len(ranks) == 1:
            return [each for each in self._store.elements([job + ranks.first]) if each.state in HOLDING]
        return [each for each in self.current().elements if each.job == job and each.rank in ranks]

    def follow(self, on: bool) -> None:
        """Set whether a thread may follow the stream between two questions; at first none does."""
        if on:
            self._stopped.clear()
        else:
            self._stopped.set()

    def wanted(self) -> None:
        """Somebody asks, or is likely to ask soon: follow the stream for a while."""
        self._asked_at = time.monotonic()
        if self._follower is not None or self._stopped.is_set():
            return
        with self._lock:
            if self._follower is None:
                self._follower = threading.Thread(target=self._follow, name="live-records", daemon=True)
                self._follower.start()

    def _follow(self) -> None:
        """The thread: read on whenever it is calm, while anybody is interested."""
        while self._interesting():
            try:
                if self._store.events(self._seq or "$", BLOCK_S, 1):
                    self._await_calm()
                    with self._lock:
                        self._catch_up()
            except CraneError as error:
                log.info("the event stream is not followed for a while: %s", error.message)
                self._stopped.wait(RETRY_S)
            except Exception:
                faults.record("the event stream could not be followed")
                self._stopped.wait(RETRY_S)

    def _await_calm(self) -> None:
        """Wait until nothing happens for ``CALM_S``, ``GATHER_S`` at most: reading slows down what makes events."""
        until, seen = time.monotonic() + GATHER_S, ""
        while (last := self._store.last_event()) != seen and time.monotonic() < until:
            seen = last
            self._stopped.wait(CALM_S)

    def _interesting(self) -> bool:
        with self._lock:
            if time.monotonic() < self._asked_at + KEEP_S and not self._stopped.is_set():
                return True
            self._follower = None
            return False

    def _catch_up(self) -> None:
        """Apply all that has happened; read everything anew where some of it has left the stream."""
        if not self._seq or self._doubtful:
            self._read_all()
        while events := self._store.events(self._seq, 0.0, _BATCH):
            if Position.parse(self._store.first_event()) > Position.parse(self._seq):
                self._read_all()
                continue
            for event in events:
                self._apply(event)
            self._seq = events[-1].seq
            self._changed = True

    def _apply(self, event: Event) -> None:
        """Apply one event; after one that makes no sense everything is read anew at the next question."""
        self._doubtful |= event.kind == UNREADABLE
        try:
            if event.kind not in _NOT_KEPT:
                replay.apply(self._records, event)
                replay.drop_ended(self._records, event)
        except Exception:
            faults.record(f"an event of kind {event.kind} could not be applied:", event.seq)
            self._doubtful = True

    def _read_all(self) -> None:
        shot = self._store.snapshot()
        self._records = replay.of(shot.jobs, shot.elements, shot.nodes)
        self._seq, self._changed, self._doubtful = shot.seq, True, False
