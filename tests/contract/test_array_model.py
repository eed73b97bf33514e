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
from crane_celery.model.job import Allocation, Element, Job
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import HOLDING, TERMINATED, State
from crane_celery.model.tagged import decode, number_of
from crane_celery.sched.view import View
from crane_celery.store.api import Began, Ended, Report, Start, Store, Submission
from crane_celery.store.memory import MemoryStore
from crane_celery.store.redis import RedisStore
from tests.contract.world import node, spec
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
        """Whether it holds an allocation."""
        return self.state in ("starting", "running")

    def follows(self, state: str, code: int, policy: str) -> str:
        """What follows when this run ends so."""
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

    def requeue(self, hold: bool, only_live: bool) -> None:
        """Somebody wants it to run again."""
        if self.live and not self.cancelled:
            self.then = "hold" if hold else "requeue"
        elif self.state == "over" and self.run and not only_live:
            self.state, self.held, self.told, self.lapsed = "pending", hold, None, False


class ArrayModel(RuleBasedStateMachine):
    """One array in one store."""

    server: Server
    kind: str
    times = 1  # elements of the array for each of the model

    @initialize(count=st.integers(2, 12), policy=st.sampled_from(["never", "node", "failure"]), held=st.booleans())
    def begin(self, count: int, policy: str, held: bool) -> None:
        """An array behind another job, so that ids and ranks differ."""
        self.store: Store = (
            RedisStore(self.server.url, f"{{a{next(_PREFIXES)}}}") if self.kind == "redis" else MemoryStore()
        )
        self.fence = self.store.lead("tester", 3600)
        self.epoch = self.store.register(node(), "h", "none", "1", "b").epoch
        self.store.submit([Submission(spec(), 3, b"")], [""])
        self.count = count * self.times
        asked = spec(f"0-{self.count - 1}", requeue=policy)
        [self.id] = self.store.submit([Submission(asked, self.count, b"", "", held)], [""])
        self.lapsed = False
        self.policy, self.each = policy, [Naive(held=held) for _ in range(count)]

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

    @rule(data=st.data(), value=st.integers(1, 3))
    def update(self, data: st.DataObject, value: int) -> None:
        """Change a field, whatever the state."""
        name = data.draw(st.sampled_from(["time_limit", "priority", "nodes"]))
        ranks, models = self.chosen(data)
        self.store.update(self.id, ranks, {name: value})
        for one in models:
            one.fields[name] = value

    @rule(data=st.data(), hold=st.booleans(), only_live=st.booleans())
    def requeue(self, data: st.DataObject, hold: bool, only_live: bool) -> None:
        """Have some run again."""
        ranks, models = self.chosen(data)
        did = self.store.requeue(self.id, ranks, hold, only_live)
        assert len(did.running) == sum(one.live for one in models) * self.times
        over = sum(one.state == "over" and one.run > 0 for one in models)
        assert did.ended == over * (not only_live) * self.times
        for one in models:
            one.requeue(hold, only_live)

    @rule(data=st.data(), late=st.sampled_from([0, 0, 1]))
    def start(self, data: st.DataObject, late: int) -> None:
        """The leader starts what it thinks waits; now and then with a run that is over."""
        numbers = self.numbers(data)
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

    @rule(data=st.data(), end=_ENDS, stale=st.sampled_from([0, 0, 0, 1]))
    def report_end(self, data: st.DataObject, end: tuple[str, int], stale: int) -> None:
        """The node tells of ends, now and then of a run that was before."""
        numbers = self.numbers(data)
        runs = [(rank, self.each[self.number(rank)].run - stale) for rank in self.ranks(numbers)]
        rows = [Ended(self.id + rank, run, *end, 1.0, 2.0) for rank, run in runs]
        self.store.report("n1", self.epoch, Report((), rows))
        for one in (self.each[rank] for rank in numbers):
            if one.live and not stale:
                one.end(*end, self.policy)

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
        """What is kept for the whole."""
        over = [one for one in self.each if one.told]
        ok = [one for one in over if one.told is State.COMPLETED]
        counts = (len(over) * self.times, len(ok) * self.times)
        assert (job.ended, job.ok) == counts
        assert job.gone == sum(one.lapsed for one in over) * self.times
        if not self.lapsed:  # an end without a run counts as a begin, for who waits for that
            assert job.began == sum(one.began for one in self.each) * self.times
        assert (job.ended_at > 0) == (len(over) == len(self.each))
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
        """Fewer elements in the model."""
        super().begin(count, policy, held)


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
