"""Both stores driven side by side through random operations: same answers, same records, and a replay that agrees."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from crane_celery.lifecycle.replay import Records, replay
from crane_celery.model.dependency import Block, Resolved, decode, encode, judge
from crane_celery.model.job import NEVER, WAITING, Allocation, Element, Job, StepRow
from crane_celery.model.node import Node, NodeState
from crane_celery.model.states import State
from crane_celery.service.query.live_records import Live
from crane_celery.store.api import (
    Answer,
    Began,
    Changing,
    Ended,
    Limits,
    Moved,
    Report,
    Requeue,
    Start,
    Store,
    Submission,
)
from crane_celery.store.memory import MemoryStore
from crane_celery.store.redis import RedisStore
from tests.contract.world import needs, node, spec
from tests.support.server import Server

_PREFIXES = itertools.count()
_NODES = ("n1", "n2")
_RANKS = st.sampled_from(["", "0", "1-2", "0-3,5", "4-90"])
_MOVES = st.sampled_from(["Suspended", "Running"])
_KINDS = ["after", "afterok", "afternotok", "afterany", "aftercorr", "afterexcept", "expand"]
_STATES = st.sampled_from(["Completed", "Completed", "Failed", "OutOfMemory", "Cancelled", "ExceedTimeLimit"])


def bare(record: Any) -> Any:
    """A record without the times, which differ between two clocks."""
    if isinstance(record, Job):
        ready = record.ready if record.ready in (NEVER, WAITING, 0.0) else 1.0
        dep = encode(bare(decode(record.dep))) if record.dep else ""
        return replace(
            record, submitted_at=0.0, ended_at=float(record.ended_at > 0), ready=ready, dep=dep, judged_at=0.0
        )
    if isinstance(record, Element):
        stamps = {"leased_at": 0.0, "began_at": float(record.began_at > 0), "ended_at": float(record.ended_at > 0)}
        stamps |= {"suspended_at": float(record.suspended_at > 0), "suspended_s": float(record.suspended_s > 0)}
        return replace(record, **stamps)
    if isinstance(record, Node):
        return replace(record, heard_at=0.0)
    if isinstance(record, Resolved):
        return Resolved(
            record.any_of, tuple(tuple(replace(b, fired_at=float(b.fired_at > 0)) for b in g) for g in record.groups)
        )
    return record


def uncounted(job: Job) -> Job:
    """A job as a gateway keeps it: without counters."""
    return replace(job, began=0, ended=0, ok=0, worst_code=0, worst_state=None, gone=0)


class SideBySide(RuleBasedStateMachine):
    """One server, one twin."""

    server: Server

    @initialize()
    def begin(self) -> None:
        """Two empty stores."""
        self.redis = RedisStore(self.server.url, f"{{m{next(_PREFIXES)}}}")
        self.pair: tuple[Store, Store] = (self.redis, MemoryStore())
        self.live = tuple(map(Live, self.pair))
        self.fence, self.last, self.trimmed = 0, 0, False
        self.epochs = dict.fromkeys(_NODES, 0)
        self.lead()
        for name in _NODES:
            self.register(name, "boot-1")

    def both(self, verb: str, *args: Any) -> Any:
        """The same call on both; the same answer, or the same kind of refusal."""
        answers = []
        for store in self.pair:
            try:
                answers.append(getattr(store, verb)(*args))
            except Exception as error:
                answers.append(type(error))
        if verb not in ("heartbeat", "questions", "report"):
            assert answers[0] == answers[1], (verb, args)
        return answers

    @rule()
    def lead(self) -> None:
        """A new leader now and then."""
        self.both("resign", f"holder{self.fence}")
        self.fence = self.both("lead", f"holder{self.fence + 1}", 3600)[0]

    @rule(name=st.sampled_from(_NODES), boot=st.sampled_from(["boot-1", "boot-1", "boot-2"]))
    def register(self, name: str, boot: str) -> None:
        """A worker starts."""
        self.epochs[name] = self.both("register", node(name), "h", "none", "1", boot)[0].epoch

    @rule(count=st.sampled_from([1, 1, 3, 6]), held=st.booleans(), key=st.sampled_from(["", "", "k1", "k2"]))
    def submit(self, count: int, held: bool, key: str) -> None:
        """A submission without dependency."""
        policy = ("never", "node", "failure")[self.last % 3]
        asked = spec(
            "0-9" if count > 1 else "", requeue=policy, throttle=self.last % 4 // 3, max_fails=self.last % 5 // 3
        )
        self._submit(Submission(asked, count, b"x", "", held, 0.0, Limits(jobs_here=40)), key)

    def _submit(self, job: Submission, key: str) -> None:
        ids = self.both("submit", [job], [key])[0]
        if isinstance(ids, list):
            self.last = max(self.last, ids[0] + job.count - 1)

    @rule(data=st.data())
    def depend(self, data: st.DataObject) -> None:
        """A submission that waits on what exists, or on what does not."""
        self._submit(Submission(spec(), 1, b"", self._dependency(data)), "")

    @rule(data=st.data(), none=st.booleans())
    def depend_anew(self, data: st.DataObject, none: bool) -> None:
        """Another dependency for what waits, and for what does not."""
        self.both("depend", self._some(data), "typed é \udc80", "" if none else self._dependency(data))

    def _dependency(self, data: st.DataObject) -> str:
        blocks = []
        for _ in range(data.draw(st.integers(1, 2))):
            id_ = data.draw(st.integers(1, self.last + 1))
            job = self.pair[1].find(id_)
            base, count = (job.id, job.count) if job and data.draw(st.booleans()) else (job.id if job else id_, 1)
            kind = data.draw(st.sampled_from(_KINDS))
            last = kind in ("afterok", "afternotok") and data.draw(st.booleans())
            blocks.append(Block(kind, base, base if count > 1 else id_, count, 0, "t", last=last))
        return encode(Resolved(data.draw(st.booleans()), tuple((block,) for block in blocks)))

    def _some(self, data: st.DataObject) -> int:
        return data.draw(st.integers(1, self.last + 1))

    @rule(data=st.data(), wide=st.booleans(), run=st.sampled_from([1, 1, 2]), stale=st.sampled_from([0, 0, 0, 1]))
    def start(self, data: st.DataObject, wide: bool, run: int, stale: int) -> None:
        """Commit some starts, many of them impossible."""
        starts, guests = [], data.draw(st.booleans())
        names = _NODES if wide else (data.draw(st.sampled_from(_NODES)),)
        parts = tuple(Allocation(node=name, cpus=0.5, memory=7) for name in names)
        for _ in range(data.draw(st.integers(1, 4))):
            job = self.pair[1].find(self._some(data))
            if job:
                starts.append(Start(job.id, data.draw(st.integers(0, job.count - 1)), run, parts, guests))
        self.both("start", self.fence - stale, starts)

    @rule(data=st.data(), name=st.sampled_from(_NODES), state=_STATES, stale=st.sampled_from([0, 0, 0, 1]))
    def report(self, data: st.DataObject, name: str, state: str, stale: int) -> None:
        """Begins and ends, true and false ones."""
        ids = data.draw(st.lists(st.integers(1, self.last + 1), max_size=5))
        cut = data.draw(st.integers(0, 5))
        steps = [StepRow(job=id_, run=1, step=2, name="s", node=name, state=State.RUNNING) for id_ in ids[:1]]
        code, why = int(state == "Failed"), "é" * (state == "Failed")
        ended = [Ended(id_, 1, state, code, 0.0, 0.0, why, 0.0, cut, cut % 3) for id_ in ids[cut:]]
        runs = {e.id: e.run for e in self.pair[1].elements(ids)}
        moved = [Moved(id_, runs.get(id_, 1), data.draw(_MOVES), 0.0) for id_ in ids[:2]]
        ended = [end._replace(run=runs.get(end.id, 1)) for end in ended]
        report = Report([Began(id_, runs.get(id_, 1), 0.0) for id_ in ids], ended, steps, moved)
        one, two = self.both("report", name, self.epochs[name] + stale, report)
        assert one == two

    @rule(data=st.data(), ranks=_RANKS, signal=st.sampled_from([0, 0, 9, 10]))
    def cancel(self, data: st.DataObject, ranks: str, signal: int) -> None:
        """Cancel all or a part."""
        self.both("cancel", self._some(data), ranks, 7, signal)

    @rule(data=st.data())
    def cancel_whole(self, data: st.DataObject) -> None:
        """Cancel many of which some have started, ended, or never been."""
        ids = data.draw(st.sets(st.integers(1, self.last + 1), max_size=6))
        self.both("cancel_whole", sorted(ids), 7)

    @rule(data=st.data(), ranks=_RANKS, on=st.booleans(), until=st.sampled_from([0.0, 5.25, 9e9]))
    def hold(self, data: st.DataObject, ranks: str, on: bool, until: float) -> None:
        """Hold or release all or a part, for ever or for a time."""
        self.both("hold", self._some(data), ranks, on, until)

    @rule(data=st.data(), ranks=_RANKS, hold=st.booleans(), completed=st.booleans(), running=st.booleans())
    def requeue(self, data: st.DataObject, ranks: str, hold: bool, completed: bool, running: bool) -> None:
        """Have all or a part run again, changed or not."""
        whole = ("", data.draw(st.sampled_from([{"throttle": 2}, {"max_fails": 1}, {"priority": 7}])))
        dependency = data.draw(st.sampled_from([None, ("", ""), ("afterany:1", needs("afterany", 1))]))
        changing = Changing([(ranks, {"memory": 5, "comment": "é \udc80"}), whole], dependency)
        with_it = data.draw(st.sampled_from([None, None, changing]))
        self.both("requeue", self._some(data), ranks, Requeue(hold, completed, running, with_it), 7)

    @rule(data=st.data(), ranks=_RANKS, limit=st.sampled_from([60, 120]))
    def update(self, data: st.DataObject, ranks: str, limit: int) -> None:
        """Change all or a part."""
        fields = data.draw(st.sampled_from([{"time_limit": limit}, {"priority": limit}, {"comment": "é \udc80"}]))
        fields = data.draw(st.sampled_from([fields, {"requeue": "failure"}, {"max_fails": 1}])) if not ranks else fields
        self.both("update", self._some(data), ranks, fields)

    @rule(data=st.data(), wanted=st.sampled_from([{"suspend": 1}, {"limit": 60, "suspend": 0}, {"deadline": 1.5}]))
    def order(self, data: st.DataObject, wanted: dict[str, float]) -> None:
        """Want something of a run."""
        self.both("order", self._some(data), data.draw(st.sampled_from([1, 1, 2])), wanted)

    @rule(data=st.data(), ranks=_RANKS, stale=st.sampled_from([0, 0, 1]))
    def expire(self, data: st.DataObject, ranks: str, stale: int) -> None:
        """The leader ends what is pending."""
        self.both("expire", self.fence - stale, self._some(data), ranks, "Deadline", 330, "late")

    @rule(name=st.sampled_from(_NODES))
    def lose(self, name: str) -> None:
        """A node falls silent."""
        self.both("lose", self.fence, name, "quiet")

    @rule(name=st.sampled_from(_NODES), state=st.sampled_from(list(NodeState)))
    def set_node(self, name: str, state: NodeState) -> None:
        """An operator's word."""
        self.both("set_node", name, state, "why")

    @rule(name=st.sampled_from(_NODES))
    def heartbeat(self, name: str) -> None:
        """The node lives; what it is told is the same. Leases of one moment may differ in order."""
        one, two = self.both("heartbeat", name, self.epochs[name], -1.0)
        if isinstance(one, type) or isinstance(two, type):
            assert one == two
        else:
            assert (sorted(one.unanswered), one.kills, one.orders) == (sorted(two.unanswered), two.kills, two.orders)

    @rule(limit=st.sampled_from([1, 50]), answered=st.booleans())
    def resolve(self, limit: int, answered: bool) -> None:
        """The leader asks and judges, or dies in between."""
        asked = self.both("questions", self.fence, limit)
        plain = [[(q.job, bare(decode(q.dep)), [f._replace(at=0) for _, f in q.facts]) for q in each] for each in asked]
        assert plain[0] == plain[1]
        if answered:
            for store, questions in zip(self.pair, asked, strict=True):
                verdicts = [(q.job, *judge(decode(q.dep), dict(q.facts))) for q in questions]
                store.judge(self.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])

    @rule(filed=st.booleans())
    def forget(self, filed: bool) -> None:
        """The recorder files, the window closes."""
        if filed:
            for store in self.pair:
                store.set_cursor("recorder", store.last_event())
        counts = [store.forget(self.fence, store.now() + 1, 100) for store in self.pair]
        assert counts[0] == counts[1]

    @invariant()
    def agree(self) -> None:
        """The same records in both, and in a replay of the server's stream."""
        ids = range(self.last + 2)
        for verb in ("jobs", "elements", "nodes"):
            for args in ((), (ids,)) if verb != "nodes" else ((),):
                one, two = ([bare(r) for r in getattr(store, verb)(*args)] for store in self.pair)
                assert one == two, verb
        assert self.redis.ended_bits(1, self.last + 1) == self.pair[1].ended_bits(1, self.last + 1)
        for id_ in ids:
            assert self.redis.steps(id_, 1) == self.pair[1].steps(id_, 1)

    @rule()
    def look(self) -> None:
        """Check that what a gateway keeps in memory is what the store has, however long nobody looked."""
        for store, live in zip(self.pair, self.live, strict=True):
            shot = live.current()
            assert list(map(uncounted, shot.jobs)) == list(map(uncounted, store.jobs()))
            assert shot.elements == store.elements()
            assert [bare(each) for each in shot.nodes] == [bare(each) for each in store.nodes()]

    @rule()
    def restart(self) -> None:
        """A gateway that starts now reads everything at once."""
        self.live = tuple(map(Live, self.pair))

    @rule()
    def trim(self) -> None:
        """The stream is cut behind everybody but a gateway that was not asked for long."""
        self.trimmed = True
        for store in self.pair:
            for consumer in ("recorder", "leader"):
                store.set_cursor(consumer, store.last_event())
            store.trim()

    def compare(self, again: Records) -> None:
        """A replay against the server's records."""
        ids = range(self.last + 2)
        assert [again.jobs[i] for i in ids if i in again.jobs] == self.redis.jobs(ids)
        assert [again.elements[i] for i in ids if i in again.elements] == self.redis.elements(ids)
        assert {n: bare(r) for n, r in again.nodes.items()} == {r.spec.name: bare(r) for r in self.redis.nodes()}

    def teardown(self) -> None:
        """The server's stream, replayed from nothing, gives the server's records."""
        if not hasattr(self, "redis"):
            return
        if not self.trimmed:
            self.compare(replay(self.redis.events("0", 0, 100_000)))
        self.redis.close()


def test_side_by_side(server: Server) -> None:
    """Bounded: some seconds."""
    SideBySide.server = server
    run_state_machine_as_test(
        SideBySide,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
