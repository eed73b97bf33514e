"""One record for an array against a naive model with one record for each element, on both stores.

The model knows neither ranges nor counters: what the array record says in sum is counted here element by element. In
the large form each element of the model stands for every n-th of a larger array, n being the model's size, so that
every set has more ranges than are kept as ranges.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import replay
from crane_celery.model.dependency import decode as decode_dep
from crane_celery.model.dependency import encode, judge
from crane_celery.model.job import NEVER, WAITING, Allocation, Element, Job
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import HOLDING, TERMINATED, WORST, State
from crane_celery.model.tagged import decode, number_of
from crane_celery.sched.view import View
from crane_celery.store.api import Answer, Began, Ended, Question, Report, Requeue, Start, Store, Submission
from crane_celery.store.memory import MemoryStore
from crane_celery.store.redis import RedisStore
from tests.contract.world import needs, node, spec
from tests.support.server import Server

_PREFIXES = itertools.count()
_PART = (Allocation(node="n1", cpus=0.5, memory=7),)
_MOST = 2  # requeues, as tests.contract.world.spec has it
_ENDS = st.sampled_from([("Completed", 0), ("Completed", 0), ("Failed", 3), ("Failed", 326), ("ExceedTimeLimit", 325)])


@dataclass
class Naive:
    """One element, as if it were a job of its own."""

    state: str = "pending"  # starting, running, over
    held: bool = False
    run: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    began: bool = False  # ever
    told: State | None = None  # how it ended; None = it has not
    code: int = 0
    lapsed: bool = False  # it ended while pending
    cancelled: bool = False
    then: str = ""

    @property
    def live(self) -> bool:
        """Return whether it holds an allocation."""
        return self.state in ("starting", "running")

    @property
    def failed(self) -> bool:
        """Return whether it ended by a run that failed."""
        return self.told not in (None, State.COMPLETED, State.CANCELLED) and not self.lapsed

    def follows(self, state: str, code: int, policy: str) -> str:
        """Return what follows when this run ends so."""
        if self.cancelled or self.then:
            return "" if self.cancelled else self.then
        wanted = code == 326 if policy == "node" else policy == "failure" and state != "Completed"
        return ("hold" if self.run > _MOST else "requeue") if wanted else ""

    def end(self, state: str, code: int, policy: str) -> None:
        """Its run is over."""
        after = self.follows(state, code, policy)
        self.began = self.began or not after
        if after:
            self.state, self.held = "pending", after == "hold"
        else:
            self.state, self.told, self.code, self.lapsed = "over", State(state), code, False

    def cancel(self) -> None:
        """Somebody cancels it."""
        if self.state == "pending":
            self.state, self.told, self.code, self.lapsed = "over", State.CANCELLED, TERMINATED, True
            self.held, self.began = False, self.began
        elif self.live:
            self.cancelled = True

    def chosen(self, completed: bool) -> bool:
        """Return whether a requeue is for it, and it has ended."""
        return self.state == "over" and (completed or self.told is not State.COMPLETED)

    def requeue(self, hold: bool, completed: bool, running: bool) -> None:
        """Somebody wants it to run again."""
        if self.live and running and not self.cancelled:
            self.then = "hold" if hold else "requeue"
        elif self.chosen(completed):
            self.began = self.began or (self.lapsed and self.run > 0)  # for good, where it ended while pending
            self.state, self.held, self.told, self.lapsed = "pending", hold, None, False


@dataclass
class Dependant:
    """A job that waits for some first elements of the model, or an array that waits element by element."""

    id: int
    kind: str
    of: list[Naive]
    started: bool = False

    def verdict(self) -> float:
        """Return what its dependency comes to by what is true now, whatever was true before: 1.0, WAITING or NEVER."""
        over = all(one.told for one in self.of)
        bad = any(one.told and one.told is not State.COMPLETED for one in self.of)
        match self.kind:
            case "after":
                return 1.0 if all(one.began or one.told for one in self.of) else WAITING
            case "afterok":
                return NEVER if bad else 1.0 if over else WAITING
            case "afternotok":
                return WAITING if not over else 1.0 if bad else NEVER
            case "afterexcept":
                lost = any(one.told and not one.lapsed and one.code in (325, 326) for one in self.of)
                return WAITING if not over else 1.0 if lost else NEVER
        return 1.0 if over else WAITING


_KINDS = ("after", "afterok", "afternotok", "afterany", "afterexcept")


class ArrayModel(RuleBasedStateMachine):
    """One array in one store."""

    server: Server
    kind: str
    times = 1  # elements of the array for each of the model

    @initialize(
        count=st.integers(2, 12),
        policy=st.sampled_from(["never", "node", "failure"]),
        held=st.booleans(),
        most=st.sampled_from([0, 0, 1, 3]),
    )
    def begin(self, count: int, policy: str, held: bool, most: int) -> None:
        """An array behind another job, so that ids and ranks differ."""
        self.store: Store = (
            RedisStore(self.server.url, f"{{a{next(_PREFIXES)}}}") if self.kind == "redis" else MemoryStore()
        )
        self.fence = self.store.lead("tester", 3600)
        self.epoch = self.store.register(node(), "h", "none", "1", "b").epoch
        self.store.submit([Submission(spec(), 3, b"")], [""])
        self.count = count * self.times
        asked = spec(f"0-{self.count - 1}", requeue=policy, max_fails=most)
        [self.id] = self.store.submit([Submission(asked, self.count, b"", "", held)], [""])
        self.lapsed = False
        self.policy, self.each, self.most = policy, [Naive(held=held) for _ in range(count)], most
        self.dependants: list[Dependant] = []
        self.judged = True
        for kind, some in itertools.product(_KINDS, (count, 1)):
            self.depend(kind, some)
        dep = needs("aftercorr", self.id, self.id, self.count)
        [self.follower] = self.store.submit([Submission(asked, self.count, b"", dep)], [""])
        self.following = [False] * count  # elements of it that have started
        self.answer()

    def depend(self, kind: str, some: int) -> None:
        """Something waits for all of it, or for its first elements."""
        dep = needs(kind, self.id, self.id, self.count if some == len(self.each) else some)
        [id_] = self.store.submit([Submission(spec(), 1, b"", dep)], [""])
        self.dependants.append(Dependant(id_, kind, self.each[:some]))

    @rule(kind=st.sampled_from(_KINDS))
    def depend_late(self, kind: str) -> None:
        """Something is submitted that waits for what may have ended already."""
        if len(self.dependants) < 16:
            self.depend(kind, len(self.each))
            self.judged = False

    @rule()
    def answer(self) -> None:
        """The leader judges all that it is asked."""
        while asked := self.store.questions(self.fence, 100):
            self.put(asked)
        self.judged = True

    def put(self, asked: list[Question]) -> None:
        """Answer questions."""
        verdicts = [(q.job, *judge(decode_dep(q.dep), dict(q.facts))) for q in asked]
        self.store.judge(self.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])

    @rule(data=st.data(), hold=st.booleans())
    def requeue_between(self, data: st.DataObject, hold: bool) -> None:
        """Some are requeued while the leader thinks about its questions."""
        asked = self.store.questions(self.fence, 100)
        self.requeue(data, hold, True, True)
        self.put(asked)

    @rule(which=st.integers(0, 15))
    def start_dependant(self, which: int) -> None:
        """Nothing starts by a verdict that is true no longer."""
        waiting = [each for each in self.dependants if not each.started]
        if waiting:
            each = waiting[which % len(waiting)]
            [said] = self.store.start(self.fence, [Start(each.id, 0, 1, _PART)])
            met = each.verdict() == 1.0
            assert met if said == "" else not (met and self.judged), (each, said)
            each.started = said == ""

    @rule(which=st.integers(0, 11))
    def start_follower(self, which: int) -> None:
        """Nor does an element whose counterpart runs again."""
        rank = which % len(self.each)
        if not self.following[rank]:
            [said] = self.store.start(self.fence, [Start(self.follower, rank, 1, _PART)])
            met = self.each[rank].told is State.COMPLETED
            assert met if said == "" else not (met and self.judged), said
            self.following[rank] = said == ""

    @rule(hopeless=st.sampled_from(_KINDS))
    def end_hopeless(self, hopeless: str) -> None:
        """Check that what the leader cancels since it can never start is nothing that a requeue gave another chance."""
        for each in self.dependants:
            if each.kind == hopeless and not each.started:
                did = self.store.expire(self.fence, each.id, "", "Cancelled", 320, "never", hopeless=True)
                never = each.verdict() == NEVER
                assert never if did else not (never and self.judged), each
                each.started = did > 0

    def chosen(self, data: st.DataObject) -> tuple[str, list[Naive]]:
        """Some ranks as text ("" = all), and their models."""
        some = data.draw(st.sets(st.integers(0, len(self.each) - 1), min_size=1))
        if data.draw(st.sampled_from([True, False, False])):
            return "", self.each
        return RangeSet.of(self.ranks(some)).text, [self.each[number] for number in sorted(some)]

    def ranks(self, numbers: Iterable[int]) -> list[int]:
        """The ranks that elements of the model stand for."""
        return [rank for number in numbers for rank in range(number, self.count, len(self.each))]

    def number(self, rank: int) -> int:
        """The element of the model that stands for a rank."""
        return rank % len(self.each)

    def numbers(self, data: st.DataObject) -> list[int]:
        """Some elements of the model."""
        return sorted(data.draw(st.sets(st.integers(0, len(self.each) - 1), min_size=1)))

    @rule(data=st.data(), on=st.booleans())
    def hold(self, data: st.DataObject, on: bool) -> None:
        """Hold or release."""
        ranks, models = self.chosen(data)
        self.store.hold(self.id, ranks, on)
        for one in models:
            one.held = on if one.state == "pending" else one.held

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel what waits and what runs."""
        ranks, models = self.chosen(data)
        did = self.store.cancel(self.id, ranks, 7)
        assert did.pending == sum(one.state == "pending" for one in models) * self.times
        assert len(did.running) == sum(one.live for one in models) * self.times
        self.lapsed = self.lapsed or any(one.run and one.state == "pending" for one in models)
        for one in models:
            one.cancel()
        self.judged = False

    @rule(data=st.data(), value=st.integers(1, 3))
    def update(self, data: st.DataObject, value: int) -> None:
        """Change a field, whatever the state."""
        name = data.draw(st.sampled_from(["time_limit", "priority", "nodes"]))
        ranks, models = self.chosen(data)
        self.store.update(self.id, ranks, {name: value})
        for one in models:
            one.fields[name] = value

    @rule(data=st.data(), hold=st.booleans(), completed=st.booleans(), running=st.booleans())
    def requeue(self, data: st.DataObject, hold: bool, completed: bool, running: bool) -> None:
        """Have some run again."""
        ranks, models = self.chosen(data)
        did = self.store.requeue(self.id, ranks, Requeue(hold, completed, running))
        assert len(did.running) == sum(one.live and running for one in models) * self.times
        over = [one for one in models if one.chosen(completed)]
        assert (did.ended, did.never) == (len(over) * self.times, sum(not one.run for one in over) * self.times)
        for one in models:
            one.requeue(hold, completed, running)
        self.judged = False

    @rule(data=st.data(), late=st.sampled_from([0, 0, 1]))
    def start(self, data: st.DataObject, late: int) -> None:
        """The leader starts what it thinks waits; now and then with a run that is over."""
        self.do_start(self.numbers(data), late)

    def do_start(self, numbers: list[int], late: int) -> None:
        """Start them; what is not pending is refused."""
        ranks = self.ranks(numbers)
        runs = [max(1, self.each[self.number(rank)].run + 1 - late) for rank in ranks]
        starts = [Start(self.id, rank, run, _PART) for rank, run in zip(ranks, runs, strict=True)]
        answers = self.store.start(self.fence, starts)
        for number in numbers:
            one = self.each[number]
            may = one.state == "pending" and not one.held and not (late and one.run)
            said = {answer for rank, answer in zip(ranks, answers, strict=True) if self.number(rank) == number}
            assert len(said) == 1 and (said == {""}) == may, (number, said, one)
            if may:
                one.state, one.run, one.cancelled, one.then = "starting", one.run + 1, False, ""

    @rule(data=st.data())
    def report_begin(self, data: st.DataObject) -> None:
        """The node tells of begins."""
        numbers = self.numbers(data)
        rows = [Began(self.id + rank, self.each[self.number(rank)].run, 1.0) for rank in self.ranks(numbers)]
        self.store.report("n1", self.epoch, Report(rows))
        for one in (self.each[rank] for rank in numbers):
            if one.state == "starting":
                one.state, one.began = "running", True
        self.judged = False

    @rule(data=st.data(), end=_ENDS, stale=st.sampled_from([0, 0, 0, 1]))
    def report_end(self, data: st.DataObject, end: tuple[str, int], stale: int) -> None:
        """The node tells of ends, now and then of a run that was before."""
        self.do_end(self.numbers(data), end, stale)

    @rule(data=st.data(), end=_ENDS, judged=st.booleans())
    def run_whole(self, data: st.DataObject, end: tuple[str, int], judged: bool) -> None:
        """Some, or all, start and end."""
        numbers = data.draw(st.sampled_from([list(range(len(self.each))), self.numbers(data)]))
        self.do_start(numbers, 0)
        self.do_end(numbers, end, 0)
        if judged:
            self.answer()

    def do_end(self, numbers: list[int], end: tuple[str, int], stale: int) -> None:
        """The node tells that they ended."""
        runs = [(rank, self.each[self.number(rank)].run - stale) for rank in self.ranks(numbers)]
        rows = [Ended(self.id + rank, run, *end, 1.0, 2.0) for rank, run in runs]
        self.store.report("n1", self.epoch, Report((), rows))
        failed = False
        for one in (self.each[rank] for rank in numbers):
            if one.live and not stale:
                one.end(*end, self.policy)
                failed = failed or one.failed
        if failed and self.most and sum(one.failed for one in self.each) >= self.most:
            self.stop_rest()
        self.judged = False

    def stop_rest(self) -> None:
        """Too many have failed."""
        self.lapsed = self.lapsed or any(one.run and one.state == "pending" for one in self.each)
        for one in self.each:
            if one.state == "pending":
                one.cancel()

    @invariant()
    def agree(self) -> None:
        """The array record, expanded, is the model; its sums are the model's, counted."""
        job = self.store.job(self.id)
        assert job is not None
        at = [rank for rank in range(self.count) if not len(self.each) <= rank < self.count - len(self.each)]
        runs = {run.rank: run for run in self.store.elements([self.id + rank for rank in at])}
        assert RangeSet.parse(job.pending) == self.those(lambda one: one.state == "pending")
        assert RangeSet.parse(job.held) == self.those(lambda one: one.held)
        for rank in at:
            one = self.each[self.number(rank)]
            asked = spec_of(job.spec, job.changes, rank)
            assert {name: getattr(asked, name) for name in one.fields} == one.fields
            if one.state == "pending":
                assert number_of(job.again, rank) == one.run
            self.same_run(runs.get(rank), one)
        self.same_sums(job)
        if self.judged:
            self.same_verdicts()

    def same_verdicts(self) -> None:
        """Once all is judged, every verdict is what is true now."""
        for each in self.dependants:
            found = self.store.job(each.id)
            assert found is not None
            assert each.started or min(found.ready, 1.0) == each.verdict(), each
        found = self.store.job(self.follower)
        assert found is not None
        left = RangeSet.of(self.ranks(n for n, started in enumerate(self.following) if not started))
        bad = self.those(lambda one: one.told not in (None, State.COMPLETED)) & left
        if found.ready >= 0:
            waits = RangeSet() if len(bad) == self.count else self.those(lambda one: one.told is None) & left
            assert (RangeSet.parse(found.corr) & left, RangeSet.parse(found.dead) & left) == (waits, bad)

    def those(self, good: Callable[[Naive], bool]) -> RangeSet:
        """The ranks of the elements of the model of which this is true."""
        return RangeSet.of(self.ranks(number for number, one in enumerate(self.each) if good(one)))

    def same_run(self, run: Element | None, one: Naive) -> None:
        """The record of its last run."""
        assert (run.run if run else 0) == one.run
        if run and one.live:
            assert run.state == (State.RUNNING if one.state == "running" else State.STARTING)
            assert (run.cancelled, run.then) == (one.cancelled, one.then)
        elif run:
            assert run.state not in HOLDING
            if one.told and not one.lapsed:
                assert (run.state, run.code) == (one.told, one.code)

    def same_sums(self, job: Job) -> None:
        """Compare the counts of the whole."""
        over = [one for one in self.each if one.told]
        ok = [one for one in over if one.told is State.COMPLETED]
        counts = (len(over) * self.times, len(ok) * self.times)
        assert (job.ended, job.ok) == counts
        assert job.gone == sum(one.lapsed for one in over) * self.times
        if not self.lapsed:  # an end without a run counts as a begin, for who waits for that
            assert job.began == sum(one.began for one in self.each) * self.times
        assert (job.ended_at > 0) == (len(over) == len(self.each))
        states = [one.told for one in over if one.told]
        assert job.worst_state == min(states, key=WORST.index, default=None)
        assert job.worst_code == max((one.code for one in over), default=0)
        assert self.store.ended_bits(self.id, self.count) == counts
        assert self.store.outcome(self.id, self.count) == (
            self.those(lambda one: one.told is not None),
            self.those(lambda one: one.told is State.COMPLETED),
        )

    def teardown(self) -> None:
        """Whoever follows the events knows the same."""
        if hasattr(self, "store"):
            self.follow()
            self.store.close()

    def follow(self) -> None:
        """The replay and the scheduler's view, from nothing."""
        job, events = self.store.job(self.id), self.store.events("0", 0, 100_000)
        assert job is not None
        told = replay(events).jobs[self.id]
        for name in ("pending", "held", "corr", "dead"):
            assert RangeSet.parse(getattr(told, name)) == RangeSet.parse(getattr(job, name)), name
        for name in ("ended", "ok", "gone", "changes", "worst_state", "worst_code"):
            assert getattr(told, name) == getattr(job, name), name
        assert decode(told.again) == decode(job.again)
        view = View({})
        for event in events:
            view.apply(event)
        for id_ in (self.follower, *(each.id for each in self.dependants)):
            kept, known = self.store.job(id_), view.entries.get(id_)
            assert kept is not None
            same = replay(events).jobs[id_]
            assert (same.ready, same.dep, same.corr, same.dead) == (kept.ready, kept.dep, kept.corr, kept.dead)
            if known:
                assert (known.ready, known.blocked) == (
                    kept.waits_until,
                    RangeSet.parse(kept.corr) | RangeSet.parse(kept.dead),
                )
        entry = view.entries.get(self.id)
        assert (entry.pending.text if entry else "") == RangeSet.parse(job.pending).text
        assert (entry.held.text if entry else "") == RangeSet.parse(job.held).text


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_an_array_is_its_elements(server: Server, kind: str) -> None:
    """Bounded: some seconds."""
    ArrayModel.server, ArrayModel.kind = server, kind
    run_state_machine_as_test(
        ArrayModel,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


class LargeArrayModel(ArrayModel):
    """The same, with sets of more ranges than are kept as ranges."""

    times = 1_100

    @initialize(count=st.integers(2, 4), policy=st.sampled_from(["never", "node", "failure"]), held=st.booleans())
    def begin(self, count: int, policy: str, held: bool) -> None:
        """Fewer elements in the model; a failure limit would be reached in the middle of a report."""
        super().begin(count, policy, held, 0)

    def run_whole(self, data: st.DataObject, end: tuple[str, int], judged: bool) -> None:
        """No rule here: thousands of runs in one step take a twin too long."""


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_large_array_is_its_elements(server: Server, kind: str) -> None:
    """Bounded: some seconds."""
    LargeArrayModel.server, LargeArrayModel.kind = server, kind
    run_state_machine_as_test(
        LargeArrayModel,
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
