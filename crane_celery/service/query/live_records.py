"""The live records in memory, kept current by the event stream, for listings and for cancelling by condition.

To read all of them from the store costs 50 us a submission; the stream tells the few that changed. Whoever asks first
reads what has happened by now (``current``), so a submission that anybody has the id of is there. A thread follows the
stream while somebody has asked within ``KEEP_S``, so that the next one finds little to read; nobody waits for it.

Jobs here keep what matters while they live: pending, held, ready and dep; their counters stay as they were.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from crane_celery import faults
from crane_celery.errors import CraneError
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import judged, moved
from crane_celery.model import tagged
from crane_celery.model.asjson import allocation_from_json, job_from_json, node_from_json
from crane_celery.model.event import Event, Position
from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node
from crane_celery.model.overrides import depended, updated
from crane_celery.model.states import State
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
        self._jobs: dict[int, Job] = {}
        self._elements: dict[int, Element] = {}
        self._nodes: dict[str, Node] = {}
        self._shot = Records(0, [], [], [])
        self._changed = self._doubtful = False
        self._asked_at = 0.0
        self._follower: threading.Thread | None = None
        self._stopped = threading.Event()
        self._stopped.set()
        self._verbs: dict[str, Callable[[Event], None]] = {
            "submit": self._submit,
            "judge": self._judge,
            "depend": self._depend,
            "hold": self._hold,
            "release": self._hold,
            "cancel": self._cancel,
            "start": self._start,
            "begin": self._begin,
            "end": self._end,
            "again": self._again,
            "revive": self._revive,
            "update": self._update,
            "move": self._move,
            "kill": self._kill,
            "node": self._node,
        }

    def current(self) -> Records:
        """The records as of now, or a little later. Raises Unreachable."""
        self.wanted()
        with self._lock:
            self._catch_up()
            if self._changed:
                jobs = [self._jobs[id_] for id_ in sorted(self._jobs)]
                elements = [self._elements[id_] for id_ in sorted(self._elements)]
                nodes = [self._nodes[name] for name in sorted(self._nodes)]
                self._shot = Records(self._shot.version + 1, jobs, elements, nodes)
                self._changed = False
            return self._shot

    def follow(self, on: bool) -> None:
        """Whether a thread may follow the stream between two questions; at first none does."""
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
        verb = self._verbs.get(event.kind)
        try:
            if verb:
                verb(event)
        except Exception:
            faults.record(f"an event of kind {event.kind} could not be applied:", event.seq)
            self._doubtful = True

    def _read_all(self) -> None:
        shot = self._store.snapshot()
        self._jobs = {job.id: job for job in shot.jobs}
        self._elements = {element.id: element for element in shot.elements}
        self._nodes = {node.spec.name: node for node in shot.nodes}
        self._seq, self._changed, self._doubtful = shot.seq, True, False

    # -- events; each may be applied again where the snapshot already held its effect

    def _submit(self, event: Event) -> None:
        job = job_from_json(event.data["job"])
        self._jobs.setdefault(job.id, job)

    def _judge(self, event: Event) -> None:
        for (id_, ready), dep, (corr, dead) in judged(event):
            self._change(id_, ready=ready, dep=dep, corr=corr, dead=dead, judged_at=event.at)

    def _depend(self, event: Event) -> None:
        if job := self._jobs.get(event.data["job"]):
            self._jobs[job.id] = depended(job, event.data)

    def _hold(self, event: Event) -> None:
        if job := self._jobs.get(event.data["job"]):
            held, ranks = RangeSet.parse(job.held), RangeSet.parse(event.data["ranks"])
            held = (held | ranks) & RangeSet.parse(job.pending) if event.kind == "hold" else held - ranks
            at = event.data.get("until", 0)
            until = tagged.tag(job.until, ranks, at) if at else tagged.untag(job.until, ranks)
            self._change(job.id, held=held.text, until=until)

    def _cancel(self, event: Event) -> None:
        if event.data["done"]:
            self._jobs.pop(event.data["job"], None)
        elif job := self._jobs.get(event.data["job"]):
            gone = RangeSet.parse(event.data["ranks"])
            self._change(job.id, until=job.until and tagged.untag(job.until, gone))
            self._drop(job.id, gone)

    def _start(self, event: Event) -> None:
        ranks: dict[int, list[int]] = {}
        for id_, job, rank, run, parts in event.data["rows"]:
            ranks.setdefault(job, []).append(rank)
            known = self._elements.get(id_)
            if job not in self._jobs or (known and known.run >= run):
                continue
            self._elements[id_] = Element(
                id=id_,
                job=job,
                rank=rank,
                run=run,
                state=State.STARTING,
                allocation=allocation_from_json(parts),
                leased_at=event.at,
                guests=id_ in event.data.get("guests", ()),
            )
        for job, started in ranks.items():
            self._drop(job, RangeSet.of(started))

    def _begin(self, event: Event) -> None:
        for id_, _, run, at in event.data["rows"]:
            element = self._elements.get(id_)
            if element and element.run == run and element.state is State.STARTING:
                self._elements[id_] = replace(element, state=State.RUNNING, began_at=at)

    def _end(self, event: Event) -> None:
        for row in event.data["rows"]:
            id_, job, run, done = row[0], row[1], row[3], row[-1]
            element = self._elements.get(id_)
            if element and element.run == run:
                del self._elements[id_]
            if done:
                self._jobs.pop(job, None)

    def _again(self, event: Event) -> None:
        """Runs that ended, and are pending again."""
        for id_, job_id, rank, run, *_, held in event.data["rows"]:
            element, job = self._elements.get(id_), self._jobs.get(job_id)
            if not (element and job and element.run == run):
                continue
            del self._elements[id_]
            one = RangeSet.span(rank, rank)
            self._change(
                job_id,
                pending=(RangeSet.parse(job.pending) | one).text,
                held=(RangeSet.parse(job.held) | one).text if held else job.held,
                again=tagged.tag(job.again, one, run),
            )

    def _revive(self, event: Event) -> None:
        job = job_from_json(event.data["job"])
        self._jobs[job.id] = job

    def _update(self, event: Event) -> None:
        if job := self._jobs.get(event.data["job"]):
            self._jobs[job.id] = updated(job, event.data)

    def _move(self, event: Event) -> None:
        for id_, _, run, state, at, *_by in event.data["rows"]:
            element = self._elements.get(id_)
            if element and element.run == run and element.state in (State.RUNNING, State.SUSPENDED):
                self._elements[id_] = moved(element, State(state), at)

    def _kill(self, event: Event) -> None:
        for id_, run, _, signal in event.data["rows"]:
            element = self._elements.get(id_)
            if element and element.run == run and signal == 0:
                if "then" not in event.data:
                    self._elements[id_] = replace(element, cancelled=True)
                elif not element.cancelled:
                    self._elements[id_] = replace(element, then=event.data["then"])

    def _node(self, event: Event) -> None:
        node = node_from_json(event.data["node"])
        self._nodes[node.spec.name] = node

    def _drop(self, id_: int, gone: RangeSet) -> None:
        """These ranks are not pending any more."""
        if job := self._jobs.get(id_):
            left, held = RangeSet.parse(job.pending) - gone, job.held and (RangeSet.parse(job.held) - gone).text
            again = job.again and tagged.untag(job.again, gone)
            self._change(id_, pending=left.text, held=held, again=again)

    def _change(self, id_: int, **fields: Any) -> None:
        if job := self._jobs.get(id_):
            self._jobs[id_] = replace(job, **fields)
