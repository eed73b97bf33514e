"""First fit: who starts, where, and who waits."""

from __future__ import annotations

from typing import Any

import pytest

from crane_celery.model.node import NodeState, Partition
from crane_celery.model.states import Reason
from crane_celery.sched.reasons import explain
from tests.unit.sched.cases import GIB, ids, job, node, plan, view, where


def test_nothing_in_nothing_out() -> None:
    made = plan(view())
    assert made.starts == [] and not made.partial


def test_submission_order_within_a_priority_and_priority_first() -> None:
    seen = view([job(1, cpus_per_task=4), job(2, cpus_per_task=4), job(3, cpus_per_task=4, priority=5)])
    assert ids(plan(seen)) == [3, 1]


def test_classes_of_one_priority_are_merged_by_id() -> None:
    jobs = [job(id, cpus_per_task=1 + id % 2 / 2) for id in range(1, 7)]
    assert ids(plan(view(jobs, [node("n1", cpus=64)]))) == [1, 2, 3, 4, 5, 6]


def test_a_smaller_job_behind_one_that_does_not_fit_starts() -> None:
    seen = view([job(1, cpus_per_task=8), job(2, cpus_per_task=8), job(3)])
    made = plan(seen)
    assert ids(made) == [3]
    assert explain(seen, made, 1, 100.0).reason is Reason.NODES_DOWN


def test_partition_priority_goes_before_job_priority() -> None:
    nodes = [node("n1")]
    partitions = {
        "main": Partition(name="main", nodes=("n1",)),
        "fast": Partition(name="fast", nodes=("n1",), priority=1),
    }
    seen = view([job(1, cpus_per_task=4, priority=9), job(2, cpus_per_task=4, partition="fast")], nodes, **partitions)
    assert ids(plan(seen)) == [2]


def test_an_array_starts_what_fits_in_rank_order() -> None:
    made = plan(view([job(10, count=1_000_000)]))
    assert ids(made) == list(range(10, 18))
    assert where(made)[10] == ["n1"] and where(made)[17] == ["n2"]


def test_throttle_is_exact_also_with_elements_running() -> None:
    seen = view([job(10, count=100, throttle=3)])
    first = plan(seen)
    assert ids(first) == [10, 11, 12]
    seen.started(first.starts)
    assert ids(plan(seen)) == []
    why = explain(seen, plan(seen), 10, 100.0)
    assert why.reason is Reason.ARRAY_LIMIT and why.available == 3


def test_held_ranks_are_passed_over() -> None:
    assert ids(plan(view([job(10, count=6, held="0-2,4")]))) == [13, 15]


@pytest.mark.parametrize(("ready", "reason"), [(-1.0, Reason.DEPENDENCY), (-2.0, Reason.NEVER), (101.0, Reason.BEGIN)])
def test_what_is_not_ready_does_not_start(ready: float, reason: Reason) -> None:
    seen = view([job(1, ready=ready)])
    made = plan(seen)
    assert made.starts == [] and explain(seen, made, 1, 100.0).reason is reason


def test_it_starts_once_its_time_has_come() -> None:
    seen = view([job(1, ready=101.0)])
    assert ids(plan(seen, 100.9)) == [] and seen.next_ready == 101.0
    assert ids(plan(seen, 101.0)) == [1] and seen.next_ready is None


def test_several_nodes_each_give_their_share() -> None:
    made = plan(view([job(1, nodes=2, ntasks=8)]))
    assert where(made) == {1: ["n1", "n2"]}
    assert [part.cpus for part in made.starts[0].allocation] == [4.0, 4.0]


def test_several_nodes_start_together_or_not_at_all() -> None:
    seen = view([job(1, cpus_per_task=3), job(2, nodes=2, ntasks=4)])
    made = plan(seen)
    assert ids(made) == [1]
    why = explain(seen, made, 2, 100.0)
    assert why == (Reason.RESOURCES, "nodes with room for all of it", 2, 1)


GPUS = [node("n1", gpu_a=2, gpu_b=1), node("n2", gpu_b=3)]


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ({"gpu:a": 2}, {"gpu:a": (0, 1)}),
        ({"gpu": 3}, {"gpu:a": (0, 1), "gpu:b": (0,)}),
        ({"gpu": 1, "gpu:a": 2}, {"gpu:a": (0, 1), "gpu:b": (0,)}),
    ],
)
def test_slots_are_given_by_number(gres: dict[str, int], expected: dict[str, tuple[int, ...]]) -> None:
    made = plan(view([job(1, gres=gres)], GPUS))
    assert made.starts[0].allocation[0].gres == expected and where(made) == {1: ["n1"]}


def test_slots_in_use_are_not_given_again() -> None:
    seen = view([job(10, count=5, gres={"gpu:b": 1})], GPUS)
    made = plan(seen)
    taken = [(part.node, part.gres["gpu:b"]) for start in made.starts for part in start.allocation]
    assert taken == [("n1", (0,)), ("n2", (0,)), ("n2", (1,)), ("n2", (2,))]
    assert explain(seen, made, 10, 100.0).reason is Reason.RESOURCES


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"nodelist": ("n2",)}, ["n2"]),
        ({"exclude": ("n1",)}, ["n2"]),
        ({"nodelist": ("n1", "n2"), "nodes": 2}, ["n1", "n2"]),
    ],
)
def test_named_nodes(options: dict[str, Any], expected: list[str]) -> None:
    assert where(plan(view([job(1, **options)]))) == {1: expected}


def test_exclusive_takes_an_empty_node_whole() -> None:
    seen = view([job(1), job(2, exclusive=True), job(3), job(4, exclusive=True)])
    made = plan(seen)
    assert where(made) == {1: ["n1"], 2: ["n2"], 3: ["n1"]}
    part = made.starts[1].allocation[0]
    assert (part.cpus, part.memory) == (4, 8 * GIB)


def test_the_nodes_of_a_job_are_in_the_order_of_their_names() -> None:
    some = [node(name) for name in ("n10", "n2", "n1")]
    assert where(plan(view([job(1, nodes=3, ntasks=3)], some))) == {1: ["n1", "n2", "n10"]}


def test_all_memory_is_that_of_the_node_it_runs_on() -> None:
    some = [node("n1", memory=8 * GIB), node("n2", memory=32 * GIB), node("n3", memory=16 * GIB)]
    asked = [job(1, memory=GIB), job(2, memory=8 * GIB, whole_memory=True, nodes=2), job(3, memory=GIB)]
    seen = view([*asked, job(4, memory=8 * GIB, whole_memory=True)], some)
    made = plan(seen)
    assert where(made) == {1: ["n1"], 2: ["n2", "n3"], 3: ["n1"]}
    assert [part.memory for part in made.starts[1].allocation] == [32 * GIB, 16 * GIB]
    assert explain(seen, made, 4, 100.0).reason is Reason.RESOURCES


@pytest.mark.parametrize("state", [NodeState.DOWN, NodeState.DRAIN])
def test_a_node_that_is_not_up_gets_nothing(state: NodeState) -> None:
    seen = view([job(1)], [node("n1", state=state)])
    made = plan(seen)
    assert made.starts == [] and explain(seen, made, 1, 100.0).reason is Reason.NODES_DOWN


def test_memory_decides_too_and_says_so() -> None:
    seen = view([job(1, memory=8 * GIB), job(2, memory=8 * GIB), job(3, memory=2 * GIB)])
    made = plan(seen)
    assert ids(made) == [1, 2]
    assert explain(seen, made, 3, 100.0) == (Reason.RESOURCES, "bytes of memory on one node", 2 * GIB, 0)


def test_unknown_partition_is_a_reason() -> None:
    seen = view([job(1, partition="gone")])
    made = plan(seen)
    assert made.starts == [] and explain(seen, made, 1, 100.0).reason is Reason.PARTITION


def test_fractions_of_cpus_leave_no_rounding_behind() -> None:
    seen = view([job(10, count=100, cpus_per_task=0.1, memory=1)], [node("n1", cpus=1)])
    made = plan(seen)
    assert len(made.starts) == 10
    seen.started(made.starts)
    seen.pool.give(start.allocation[0] for start in made.starts)
    assert seen.pool.cpu == [1000]


def test_the_budget_of_a_cycle_is_kept_and_the_rest_follows() -> None:
    seen = view([job(1), job(10, count=3), job(20, cpus_per_task=2)])
    started: list[int] = []
    while True:
        made = plan(seen, max_starts=2)
        assert len(made.starts) <= 2
        started += ids(made)
        seen.started(made.starts)
        if not made.partial:
            break
    assert started == [1, 10, 11, 12, 20]
    assert explain(seen, made, 20, 100.0).reason is Reason.NONE


def test_what_the_budget_left_behind_waits_for_its_turn() -> None:
    seen = view([job(1), job(2)])
    made = plan(seen, max_starts=1)
    assert explain(seen, made, 2, 100.0).reason is Reason.PRIORITY


def test_planning_changes_nothing_of_the_view() -> None:
    seen = view([job(10, count=50, gres={"gpu": 1})], GPUS)
    before = (list(seen.pool.cpu), list(seen.pool.slots), seen.entries[10].pending, seen.entries[10].active)
    assert ids(plan(seen)) == ids(plan(seen))
    assert before == (seen.pool.cpu, seen.pool.slots, seen.entries[10].pending, seen.entries[10].active)


def test_search_crosses_blocks_of_nodes() -> None:
    nodes = [node(f"n{number}", cpus=1) for number in range(200)]
    seen = view([job(1000, count=200), job(2000, nodes=3)], nodes)
    made = plan(seen)
    assert len(made.starts) == 200
    seen.started(made.starts)
    for number in (3, 70, 199):
        seen.pool.give(made.starts[number].allocation)
    assert where(plan(seen)) == {2000: ["n3", "n70", "n199"]}
