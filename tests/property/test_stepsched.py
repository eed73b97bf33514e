"""Steps inside a job against a naive scheduler, and what holds whatever happens."""

import math
from collections import Counter

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crane_celery.stepsched.fit import fit, possible
from crane_celery.stepsched.ground import Ground, Node
from crane_celery.stepsched.need import Need
from crane_celery.stepsched.order import Step
from crane_celery.stepsched.queue import PATIENCE, Queue

NODES = ("a", "b", "c")
NEEDS = st.builds(
    Need,
    tasks=st.integers(1, 5),
    cpu=st.sampled_from([0, 500, 1000, 2000]),
    memory=st.sampled_from([0, 0, 3, 6]),
    gres=st.sampled_from([(), (), (("gpu", 1),), (("gpu:x", 1), ("gpu", 1))]),
    nodes=st.integers(1, 3),
    most=st.sampled_from([0, 0, 2, 3]),
    per_node=st.sampled_from([0, 0, 2]),
    only=st.sets(st.sampled_from(NODES), max_size=1).map(frozenset),
    without=st.sets(st.sampled_from(NODES), max_size=1).map(frozenset),
    overlap=st.sampled_from([False, False, False, True]),
    limit=st.sampled_from([0.0, 0.0, 5.0, 50.0]),
)


def ground() -> Ground:
    return Ground(Node(name, 4000, 8, {"gpu:x": (0, 1), "gpu:y": (2,)}) for name in NODES)


class Steps(RuleBasedStateMachine):
    """A queue, and a second one that looks at every waiting step in order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 1
        self.queue = Queue(ground())
        self.needs: dict[int, Need] = {}

    @rule(need=NEEDS, priority=st.integers(-2, 2))
    def add(self, need: Need, priority: int) -> None:
        self.number += 1
        self.needs[self.number] = need
        self.queue.add(Step(self.number, need, self.now, priority))

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.queue.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        assert self.queue.end(data.draw(st.sampled_from(sorted(self.queue.running))))

    @precondition(lambda self: len(self.queue))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(self.queue.waiting()))
        assert self.queue.remove(step.number)

    @precondition(lambda self: len(self.queue))
    @rule(data=st.data(), priority=st.integers(-2, 2))
    def change(self, data: st.DataObject, priority: int) -> None:
        step = data.draw(st.sampled_from(self.queue.waiting()))
        self.queue.add(step._replace(priority=priority))

    @rule(name=st.sampled_from(NODES), open_=st.booleans())
    def drain(self, name: str, open_: bool) -> None:
        self.queue.ground.nodes[name].open = open_

    @rule()
    def place(self) -> None:
        before = self.queue.waiting()
        kept = self.queue.reservation
        starts = self.queue.place(self.now)
        if kept is None:
            assert [start.number for start in starts] == naive(self.queue, before)

    @invariant()
    def nothing_is_held_twice(self) -> None:
        for name, node in self.queue.ground.nodes.items():
            parts = [part for ran in self.queue.running.values() for part in ran.parts if part.node == name]
            assert node.free_cpu == 4000 - sum(part.cpu for part in parts) >= 0
            assert node.free_memory == 8 - sum(part.memory for part in parts) >= 0
            held = Counter(
                (kind, at)
                for number, ran in self.queue.running.items()
                if not self.needs[number].overlap
                for part in ran.parts
                for kind, slots in part.gres
                for at in slots
                if part.node == name
            )
            assert all(count == 1 for count in held.values())
            assert not any(at in node.slots[kind] for kind, at in held)

    @invariant()
    def each_step_has_what_it_asked_for(self) -> None:
        for number, ran in self.queue.running.items():
            need, parts = self.needs[number], ran.parts
            assert sum(part.tasks for part in parts) == need.tasks
            assert need.nodes <= len(parts) <= (need.most or len(NODES))
            assert all(not need.per_node or part.tasks <= need.per_node for part in parts)
            assert need.only <= {part.node for part in parts}
            assert not need.without & {part.node for part in parts}


def naive(queue: Queue, waiting: list[Step]) -> list[int]:
    """Return the steps that a scheduler would start that tries every waiting step in order on the same nodes."""
    twin = ground()
    for name, node in queue.ground.nodes.items():
        twin.nodes[name].open = node.open
    begun = {step.number for step in waiting}
    for number, ran in queue.running.items():
        if number not in begun:
            twin.take(ran.parts)
    started = []
    for step in waiting:
        if (parts := fit(step.need, twin, (), step.how)) is not None:
            twin.take(parts)
            started.append(step.number)
    return started


Steps.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSteps = Steps.TestCase


def test_no_step_starves_behind_an_endless_stream_of_small_ones() -> None:
    queue = Queue(ground())
    for at in range(12):
        queue.add(Step(100 + at, Need(1, 1000), 0.0))
    queue.place(0.0)
    big = Need(12, 1000)
    assert possible(big, queue.ground)
    queue.add(Step(1, big, 1.0))
    ends, number = 0, 1000
    while 1 not in queue.running:
        queue.end(min(queue.running))
        ends += 1
        for _ in range(3):
            number += 1
            queue.add(Step(number, Need(1, 1000), 2.0 + number))
        queue.place(3.0)
        assert ends < PATIENCE + 2 * 12
    assert queue.running[1].ends == math.inf
