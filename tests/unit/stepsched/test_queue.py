"""Steps inside a job: what fits starts, nothing stops what is behind it, nothing starves."""

import math
from typing import Any

import pytest

from crane_celery.stepsched.fit import fit, possible
from crane_celery.stepsched.ground import Ground, Node
from crane_celery.stepsched.need import Need, Part, milli
from crane_celery.stepsched.order import AGEING_S, Step
from crane_celery.stepsched.queue import PATIENCE, Queue, Start
from crane_celery.stepsched.reasons import reason

GIB = 1 << 30


def ground(*cpus: float, memory: int = 8 * GIB, gpus: int = 0) -> Ground:
    slots = {"gpu:a100": tuple(range(gpus))} if gpus else {}
    return Ground(Node(f"n{at}", milli(count), memory, slots) for at, count in enumerate(cpus, 1))


def need(tasks: int = 1, cpus: float = 1, **more: Any) -> Need:
    return Need(tasks, milli(cpus))._replace(**more)


def nodes(parts: tuple[Part, ...] | None) -> dict[str, int] | None:
    return None if parts is None else {part.node: part.tasks for part in parts}


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (need(2), {"n1": 2}),
        (need(5), {"n1": 4, "n2": 1}),
        (need(4, nodes=3), {"n1": 2, "n2": 1, "n3": 1}),
        (need(12), {"n1": 4, "n2": 4, "n3": 4}),
        (need(13), None),
        (need(6, most=1), None),
        (need(6, per_node=2), {"n1": 2, "n2": 2, "n3": 2}),
        (need(2, only=frozenset({"n3"})), {"n3": 2}),
        (need(6, only=frozenset({"n3"})), {"n1": 3, "n3": 3}),
        (need(2, only=frozenset({"n9"})), None),
        (need(5, without=frozenset({"n1", "n2"})), None),
        (need(1, 5), None),
        (need(1, memory=9 * GIB), None),
        (need(1, gres=(("gpu", 1),)), None),
    ],
)
def test_the_nodes_of_a_step(wanted: Need, where: dict[str, int] | None) -> None:
    found = nodes(fit(wanted, ground(4, 4, 4)))
    if where is None or wanted.only != frozenset({"n3"}) or wanted.tasks < 5:
        assert found == where
    else:
        assert found is not None
        assert sum(found.values()) == wanted.tasks
        assert "n3" in found
    assert possible(wanted, ground(4, 4, 4)) == (where is not None)


def test_slots_are_taken_and_given_by_number() -> None:
    field = ground(4, gpus=3)
    first = fit(need(gres=(("gpu", 2),)), field)
    assert first is not None
    assert first[0].gres == (("gpu:a100", (0, 1)),)
    field.take(first)
    assert fit(need(gres=(("gpu:a100", 1), ("gpu", 1))), field) is None
    field.give(first)
    second = fit(need(gres=(("gpu:a100", 1), ("gpu", 1))), field)
    assert second is not None
    assert second[0].gres == (("gpu:a100", (0, 1)),)


def test_what_does_not_fit_stops_nobody() -> None:
    queue = Queue(ground(2))
    for number, cpus in ((2, 2), (3, 2), (4, 1), (5, 1)):
        queue.add(Step(number, need(cpus=cpus), since=number))
    assert [start.number for start in queue.place(10)] == [2]
    assert queue.end(2)
    assert [start.number for start in queue.place(11)] == [3]
    queue.end(3)
    assert [start.number for start in queue.place(12)] == [4, 5]


def test_priority_goes_first_and_waiting_catches_up() -> None:
    queue = Queue(ground(1))
    queue.add(Step(2, need(), since=0))
    queue.add(Step(3, need(), since=AGEING_S - 1, priority=1))
    queue.add(Step(4, need(), since=AGEING_S + 1, priority=1))
    order = []
    for _ in range(3):
        (start,) = queue.place(200)
        order.append(start.number)
        queue.end(start.number)
    assert order == [3, 2, 4]


def test_a_large_step_gets_a_reservation_after_it_was_passed_often_enough() -> None:
    queue = Queue(ground(2))
    queue.begin(2, (Part("n1", 1, milli(1)),))
    queue.add(Step(3, need(cpus=2), since=0))
    for number in range(4, 100):
        queue.add(Step(number, need(), since=number))
    ran: list[Start] = queue.place(100)
    for _ in range(PATIENCE + 1):
        for start in ran:
            queue.end(start.number)
        ran = queue.place(100)
    assert ran == []
    assert queue.reservation is not None
    assert queue.reservation.number == 3
    queue.add(Step(200, need(limit=5.0), since=50))
    assert queue.place(101) == []  # nobody knows when the reserved node is free
    queue.end(2)
    assert [start.number for start in queue.place(102)] == [3]
    assert queue.reservation is None


def test_a_short_step_starts_on_a_reserved_node_whose_end_is_known() -> None:
    queue = Queue(ground(2))
    queue.begin(2, (Part("n1", 1, milli(1)),), ends=100.0)
    queue.add(Step(3, need(cpus=2), since=0))
    for number in range(4, 5 + PATIENCE):
        queue.add(Step(number, need(), since=number))
        for start in queue.place(50):
            queue.end(start.number)
    assert queue.place(51) == []
    assert queue.reservation is not None
    assert queue.reservation.at == 100.0
    queue.add(Step(90, need(limit=60.0), since=60))
    queue.add(Step(91, need(limit=40.0), since=61))
    assert [start.number for start in queue.place(60)] == [91]


def test_an_overlapping_step_needs_nothing_free() -> None:
    queue = Queue(ground(1))
    queue.begin(2, (Part("n1", 1, milli(1)),))
    queue.add(Step(3, need(), since=0))
    queue.add(Step(4, need(overlap=True), since=1))
    assert [start.number for start in queue.place(2)] == [4]
    queue.end(4)
    assert queue.ground.nodes["n1"].free_cpu == 0


def test_nodes_come_and_go() -> None:
    queue = Queue(ground(1))
    queue.add(Step(2, need(2), since=0))
    assert queue.place(0) == []
    queue.ground.put("n2", milli(1), GIB, {})
    assert [nodes(start.parts) for start in queue.place(1)] == [{"n1": 1, "n2": 1}]
    queue.ground.drop("n2")
    queue.ground.nodes["n1"].open = False
    queue.end(2)
    queue.add(Step(3, need(), since=2))
    assert queue.place(3) == []
    queue.ground.nodes["n1"].open = True
    assert len(queue.place(3)) == 1


def test_a_step_may_change_while_it_waits() -> None:
    queue = Queue(ground(1))
    queue.add(Step(2, need(2), since=0))
    queue.add(Step(2, need(1), since=0))
    assert [start.number for start in queue.place(1)] == [2]
    assert len(queue) == 0
    assert not queue.remove(2)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (need(1, 2), "Resources: it asks for 1 task of 2 CPUs; 1 of 2 CPUs are free on 1 node"),
        (
            need(3, 1),
            "Never fits the job's present nodes: it asks for 3 tasks of 1 CPUs; 1 of 2 CPUs are free on 1 node",
        ),
        (
            need(1, 2, memory=GIB, gres=(("gpu", 1),)),
            "Resources: it asks for 1 task of 2 CPUs, 1024M of memory and gpu:1 on a node; "
            "1 of 2 CPUs are free on 1 node, 8192M of memory, 1 gpu",
        ),
    ],
)
def test_reasons_have_numbers(wanted: Need, text: str) -> None:
    queue = Queue(ground(2, gpus=1))
    queue.begin(2, (Part("n1", 1, milli(1)),), ends=math.inf)
    step = Step(3, wanted, since=0)
    queue.add(step)
    assert queue.place(1) == []
    assert reason(queue, step, 1) == text


def test_a_step_that_overlaps_gives_back_no_slot_that_another_holds() -> None:
    queue = Queue(ground(4, gpus=1))
    queue.add(Step(2, need(gres=(("gpu", 1),), overlap=True), 0.0))
    queue.place(0.0)
    queue.add(Step(3, need(gres=(("gpu", 1),)), 0.0))
    assert [start.number for start in queue.place(0.0)] == [3]
    queue.end(2)
    assert queue.ground.nodes["n1"].slots == {"gpu:a100": ()}


def test_a_need_that_fits_nowhere_stops_none_that_asks_for_more() -> None:
    queue = Queue(ground(2, 2))
    queue.add(Step(2, need(1, nodes=2), since=0))
    queue.add(Step(3, need(2, nodes=2), since=1))
    queue.add(Step(4, need(1, only=frozenset({"n1", "n2"})), since=2))
    queue.add(Step(5, need(2, only=frozenset({"n1", "n2"})), since=3))
    assert [start.number for start in queue.place(4)] == [3, 5]
