"""The in-memory twin of the store: the same contract (store.api), for tests and for looking at what a plan would do.

Not durable, one process, and its reads cost all records known; otherwise a caller cannot tell it from a server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from crane_celery.errors import NotFound, StaleFence
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.requeue import follows
from crane_celery.model.asjson import allocation_to_json, node_to_json, step_to_json
from crane_celery.model.dependency import blocks_of, undecided
from crane_celery.model.event import Event, Position
from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import NODE_DOWN, STATUS_LOST, TIME_LIMIT, State
from crane_celery.store import api
from crane_celery.store.api import Answer, Beat, Began, Ended, Moved, Question, Registration, Report, Snapshot, Start
from crane_celery.store.memory_guests import MemoryGuests

#: codes of what its node or its time limit ended
LOST = frozenset({NODE_DOWN, TIME_LIMIT, STATUS_LOST})
_LOST = "the node restarted while this ran"


class MemoryStore(MemoryGuests):
    """store.api.Store in memory; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock`` stands for the server's: seconds since the epoch."""
        super().__init__(clock)
        self._spoiled: set[int] = set()
        self._drains: dict[str, tuple[NodeState, str]] = {}
        self._leader: tuple[str, float] = ("", 0.0)
        self._cursors: dict[str, str] = {}
        self._noted = ""

    # --- RunStore

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit starts. See store.api."""
        with self._lock:
            self._fenced(fence)
            answers: list[str] = []
            rows: list[list[object]] = []
            taken: set[int] = set()
            for start in starts:
                id_ = start.job + start.rank
                why = "not pending" if id_ in taken else self._refusal(start, taken)
                answers.append(why)
                if not why:
                    taken.add(id_)
                    self._invite(start)
                    rows.append([id_, start.job, start.rank, start.run, allocation_to_json(start.allocation)])
            if rows:
                invited = {"guests": some} if (some := sorted(taken & self._guests_of(starts))) else {}
                self._tell(("start", {"fence": fence, "rows": rows, **invited}))
            return answers

    def _refusal(self, start: Start, taken: set[int]) -> str:
        job, old = self._records.jobs.get(start.job), self._records.elements.get(start.job + start.rank)
        if not job:
            return "no such job"
        if job.ready < 0 or job.waits_until > self.now():
            return "not ready"
        if start.rank not in RangeSet.parse(job.pending):
            return "not pending"
        if start.rank in RangeSet.parse(job.held):
            return "held"
        if start.rank in RangeSet.parse(job.corr) or start.rank in RangeSet.parse(job.dead):
            return "not ready"
        throttle = spec_of(job.spec, job.changes, 0).throttle
        if throttle and len(self._live(job)) + sum(1 for i in taken if 0 <= i - job.id < job.count) >= throttle:
            return "as many as its limit run"
        for part in start.allocation:
            node = self._records.nodes.get(part.node)
            if not node or node.state != NodeState.UP:
                return f"node {part.node} is {node.state if node else 'unknown'}"
        return f"run {start.run} is over" if old and old.run >= start.run else ""

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take a node's report. See store.api."""
        with self._lock:
            self._outlived(node, epoch)
            for began in report.began:
                self._begin(node, began)
            rows = [step_to_json(step) for step in report.steps if self._is_news(step.job, step.run, step)]
            if rows:
                self._tell(("step", {"node": node, "rows": rows}))
            for moved in report.moved:
                self._move(node, moved)
            for ended in report.ended:
                if over := self._leave(node, ended):
                    self._end(node, *over)
            self._stop_rests()

    def _outlived(self, node: str, epoch: int) -> None:
        known = self._records.nodes.get(node)
        if not known or known.epoch != epoch:
            raise StaleFence(f"epoch {epoch} of the node: the newest is {known.epoch if known else 'none'}")

    def _is_news(self, id_: int, run: int, step: object) -> bool:
        element = self._records.elements.get(id_)
        old = self._records.steps.get((id_, run, getattr(step, "step", 0)))
        return element is not None and element.run == run and (not old or (old != step and not old.ended_at))

    def _past(self, at: float) -> float:
        """A node's idea of a time: never later than now, now when it has none."""
        return round(at, 6) if 0 < at <= self.now() else self.now()

    def _begin(self, node: str, began: Began) -> None:
        element = self._held_run(node, began.id, began.run)
        if not element or element.state != State.STARTING:
            self._ready(node, began.id, began.run)
            return
        before = self._records.jobs[element.job]
        row = [element.id, element.job, element.run, self._past(began.at)]
        self._tell(("begin", {"node": node, "rows": [row]}))
        self._set_bits("began", element.id, element.id)
        self._moved_on(before)

    def _move(self, node: str, moved: Moved) -> None:
        e = self._held_run(node, moved.id, moved.run)
        if e and e.state in (State.RUNNING, State.SUSPENDED) and e.state != moved.state:
            by = [self._ordered[e.id, e.run]] if (e.id, e.run) in self._ordered else []
            row = [e.id, e.job, e.run, moved.state, self._past(moved.at), *by]
            self._tell(("move", {"node": node, "rows": [row]}))

    def _end(self, node: str, element: Element, end: Ended, lost: bool = False) -> None:
        before = self._records.jobs[element.job]
        self._disband(element, lost)
        self._ordered.pop((element.id, element.run), None)
        spec = spec_of(before.spec, before.changes, element.rank)
        after = follows(spec, element, State(end.state), end.code)
        began_at = round(end.began_at, 6) if end.began_at > 0 else element.began_at
        row = [element.id, element.job, element.rank, element.run, str(end.state), end.code, began_at]
        row += [self._past(end.ended_at), end.reason, end.cpu_s, end.memory_peak, end.memory_deaths]
        if after:
            self._tell(("again", {"node": node, "rows": [[*row, after == "hold"]]}))
            return
        self._tell(("end", {"node": node, "rows": [[*row, before.ended + 1 == before.count]]}))
        for kind in ("began", "ended", *(("ok",) if end.state == State.COMPLETED else ())):
            self._set_bits(kind, element.id, element.id)
        if end.code in LOST:
            self._set_bits("lost", element.id, element.id)
        self._moved_on(before)
        self._ended_so(before.id, RangeSet.span(element.rank, element.rank), (True, str(end.state), end.code))
        most = spec_of(before.spec, before.changes, 0).max_fails if before.is_array else 0
        if end.state not in (State.COMPLETED, State.CANCELLED) and 0 < most <= self._failed(before.id):
            self._spoiled.add(before.id)

    def _failed(self, job: int) -> int:
        """How many of its elements ended by a run that failed."""
        good = (State.COMPLETED, State.CANCELLED)
        return sum(len(some) for (ran, state, _), some in self._ways[job].items() if ran and state not in good)

    def _stop_rests(self) -> None:
        """So many elements failed that the rest of these arrays does not start."""
        for id_ in sorted(self._spoiled):
            job = self._records.jobs[id_]
            if job.pending:
                self._end_pending(job, RangeSet.parse(job.pending), 0, reason="too many of its elements failed")
        self._spoiled.clear()

    def lose(self, fence: int, node: str, reason: str) -> list[int]:
        """Write a node off. See store.api."""
        with self._lock:
            self._fenced(fence)
            known = self._records.nodes.get(node)
            if not known or (known.state == NodeState.DOWN and not self._runs(node)):
                return []
            ids = self._write_off(node, reason)
            known = replace(known, state=NodeState.DOWN, epoch=known.epoch + 1, reason=reason)
            self._tell(("node", {"node": node_to_json(known)}))
            return ids

    def _runs(self, node: str) -> list[Element]:
        """Runs that hold something on the node."""
        return [e for e in self.elements() if any(part.node == node for part in e.allocation)]

    def _write_off(self, node: str, reason: str) -> list[int]:
        lost = self._runs(node)
        for e in lost:
            self._end(node, e, Ended(e.id, e.run, State.FAILED, NODE_DOWN, 0.0, self.now(), reason), True)
        self._stop_rests()
        return [e.id for e in lost]

    def nudge(self, node: str) -> None:
        """Ask the leader to send the node's unanswered leases again."""
        with self._lock:
            self._tell(("nudge", {"node": node}))

    def stop_step(self, id: int, run: int, node: str, signal: int, step: int) -> None:
        """Ask the leader to have one step stopped. See store.api."""
        with self._lock:
            self._tell(("kill_step", {"rows": [[id, run, node, signal, step]]}))

    # --- NodeStore

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. See store.api."""
        with self._lock:
            old = self._records.nodes.get(spec.name)
            if old and old.boot != boot:
                self._write_off(spec.name, _LOST)
            self._compare.discard(spec.name)
            epoch = 1 if not old else old.epoch + (old.boot != boot)
            node = Node(
                spec=spec, epoch=epoch, heard_at=self.now(), host=host, driver=driver, version=version, boot=boot
            )
            self._tell(("node", {"node": node_to_json(self._revived(node))}))
            return Registration(epoch, [(e.id, e.run) for e in self._runs(spec.name)])

    def _revived(self, node: Node) -> Node:
        """Up, or draining or down as it was told."""
        state, reason = self._drains.get(node.spec.name, (NodeState.UP, ""))
        return replace(node, state=state, reason=reason)

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive. See store.api."""
        with self._lock:
            self._outlived(node, epoch)
            now = self.now()
            known = self._records.nodes[node] = replace(self._records.nodes[node], heard_at=now, load=load)
            if known.state == NodeState.DOWN != self._drains.get(node, (NodeState.UP, ""))[0]:
                self._tell(("node", {"node": node_to_json(self._revived(known))}))
            if node in self._compare:
                raise StaleFence("another node of a run was written off: compare what runs here")
            leases = [e for e in self._runs(node) if self._awaits(e, node)]
            stale = sorted((e.leased_at, e.id, e.run) for e in leases if not now - stale_s < e.leased_at <= now)
            kills = self._kills.get(node, {})
            orders = self._orders.get(node, {})
            stops, wanted = sorted((*run, kills[run]) for run in kills), [(*run, orders[run]) for run in sorted(orders)]
            return Beat(now, [s[1:] for s in stale[:1000]], stops, wanted)

    def node(self, name: str) -> Node | None:
        """One node."""
        return self._records.nodes.get(name)

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""
        with self._lock:
            return [node for _, node in sorted(self._records.nodes.items())]

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator. Raises NotFound."""
        with self._lock:
            node = self._records.nodes.get(name)
            if not node:
                raise NotFound(f"there is no node {name}; see cinfo for what there is")
            if state == NodeState.UP:
                self._drains.pop(name, None)
            else:
                self._drains[name] = (state, reason)
            self._tell(("node", {"node": node_to_json(replace(node, state=state, reason=reason))}))

    # --- LeaderStore

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease. See store.api."""
        with self._lock:
            now, (leader, until) = self.now(), self._leader
            if leader and leader != holder and now < until:
                return 0
            if leader != holder or now >= until:
                self._tell(("lead", {"fence": self._records.fence + 1, "holder": holder}))
            self._leader = (holder, now + ttl_s)
            return self._records.fence

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours."""
        with self._lock:
            if self._leader[0] == holder:
                self._leader = ("", 0.0)

    def set_drains(self, fence: int, text: str) -> None:
        """Note which nodes are drained. See store.api."""
        with self._lock:
            self._fenced(fence)
            self._noted = text

    def drains(self) -> str:
        """What the latest leader noted."""
        return self._noted

    def snapshot(self) -> Snapshot:
        """All live records and the event that they hold from."""
        with self._lock:
            return Snapshot(self.last_event(), self.now(), self.jobs(), self.elements(), self.nodes())

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Dependants to be judged. See store.api."""
        with self._lock:
            self._fenced(fence)
            open_ = {j for j in self._asked | self._resolve if self._is_open(self._records.jobs.get(j))}
            self._asked &= open_
            queue = sorted(self._asked) + sorted((self._resolve & open_) - self._asked)
            self._asked |= set(queue[:limit])
            self._resolve = (self._resolve & open_) - set(queue[:limit])
            return [self._question(self._records.jobs[job]) for job in queue[:limit]]

    def _question(self, job: Job) -> Question:
        return Question(job.id, job.dep, [(block, self._facts(block)) for block in blocks_of(job.dep)])

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts. See store.api."""
        with self._lock:
            self._fenced(fence)
            for id_, dep, ready, corr, dead in answers:
                asked, job = id_ in self._asked, self._records.jobs.get(id_)
                self._asked.discard(id_)
                if (
                    asked
                    and job
                    and self._is_open(job)
                    and (dep, ready, corr, dead) != (job.dep, job.ready, job.corr, job.dead)
                ):
                    self._tell(("judge", {"rows": [[id_, ready]], "deps": [dep], "gates": [[corr, dead]]}))
                    if not undecided(dep, ready, self.now(), corr):
                        self._stop_waiting(job, final=True)

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue dependants to be judged. See store.api."""
        with self._lock:
            self._fenced(fence)
            self._resolve |= {id_ for id_ in jobs if id_ in self._records.jobs}

    def forget(self, fence: int, before: float, limit: int) -> api.Forgotten:
        """Drop submissions that ended before this time and are filed. See store.api."""
        with self._lock:
            self._fenced(fence)
            filed = Position.parse(self.cursor("recorder"))
            gone: list[int] = []
            for job in sorted((self._records.jobs[i] for i in self._done), key=lambda j: (j.ended_at, j.id)):
                if job.ended_at >= before or len(gone) == limit or Position.parse(self._done[job.id]) > filed:
                    break
                gone.append(job.id)
            if gone:
                self._tell(("forget", {"jobs": gone}))
            self._drop_kept(gone)
            return api.Forgotten(len(gone), len(gone) == limit)

    # --- EventLog

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Events after an entry; ``limit`` counts entries. See store.api."""
        with self._grown:
            start = Position.parse(self.last_event() if after == "$" else after)
            self._grown.wait_for(lambda: Position.parse(self.last_event()) > start, block_s)
            found = [event for event in self._log if Position.parse(event.seq) > start]
            entries = list(dict.fromkeys(event.seq for event in found))[:limit]
            return [event for event in found if event.seq in entries]

    def last_event(self) -> str:
        """Id of the newest entry."""
        return self._log[-1].seq if self._log else "0"

    def first_event(self) -> str:
        """Id of the oldest entry kept."""
        return self._log[0].seq if self._log else "0"

    def cursor(self, consumer: str) -> str:
        """Where a named consumer stands."""
        return self._cursors.get(consumer, "0")

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on; never back."""
        with self._lock:
            if Position.parse(seq) > Position.parse(self.cursor(consumer)) or consumer not in self._cursors:
                self._cursors[consumer] = seq

    def trim(self) -> int:
        """Drop entries that every named consumer has passed. See store.api."""
        with self._lock:
            if not self._log or not {"recorder", "leader"} <= self._cursors.keys():
                return 0
            lowest = min(*(Position.parse(seq) for seq in self._cursors.values()), Position.parse(self.last_event()))
            kept = [event for event in self._log if Position.parse(event.seq) >= lowest]
            gone = len({event.seq for event in self._log}) - len({event.seq for event in kept})
            self._log = kept
            return gone

    # --- Store

    def close(self) -> None:
        """Nothing to let go of."""

    def ping(self) -> float:
        """No distance at all."""
        return 0.0
