"""Jobs that may start in several shapes are moved to the first that can start at once."""

import json
from typing import Any

import pytest

from crane_celery.model.node import Node, NodeSpec, NodeState, Partition
from crane_celery.sched.choices import fields_of, moves
from tests.unit.sched.cases import GIB, hold_starts, job, node, plan, spec, view, where

NODES = [node("n1"), node("n2"), node("n3")]
ALL = Partition(name="main", nodes=("n1", "n2"))
OTHER = Partition(name="other", nodes=("n3",))


def busy(number: int, **more: Any) -> Any:
    """A job that fills a node and is started first."""
    return job(number, cpus_per_task=4.0, priority=9, **more)


def moved(jobs: list[Any], **partitions: Partition) -> list[tuple[int, str, dict[str, Any]]]:
    seen = view(jobs, NODES, **partitions or {"main": ALL, "other": OTHER})
    made = plan(seen)
    return [(move.job, move.ranks.text, dict(move.fields)) for move in moves(seen, made, 100.0)]


def choices(**lists: Any) -> str:
    return json.dumps([dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)])


def test_the_first_partition_that_can_start_it() -> None:
    lists = choices(partition=["main", "other"])
    assert moved([job(10, choices=lists)]) == []
    assert moved([busy(1), busy(2), job(10, choices=lists)]) == [(10, "0", {"partition": "other"})]
    three = [busy(1), busy(2), busy(3, partition="other"), job(10, choices=lists)]
    assert moved(three) == []


def test_as_many_nodes_as_are_free() -> None:
    lists = choices(nodes=[3, 2, 1], ntasks=[3, 2, 1])
    main = Partition(name="main", nodes=("n1", "n2", "n3"))
    wide = job(10, nodes=3, ntasks=3, choices=lists)
    assert moved([wide], main=main) == []
    assert moved([busy(1), wide], main=main) == [(10, "0", {"nodes": 2, "ntasks": 2})]
    assert moved([busy(1), busy(2), wide], main=main) == [(10, "0", {"nodes": 1, "ntasks": 1})]
    assert moved([busy(1), busy(2), busy(3), wide], main=main) == []


def test_elements_of_an_array_go_where_there_is_room() -> None:
    lists = choices(partition=["main", "other"])
    array = job(10, count=20, choices=lists)
    # eight start in main, four have room in other, the rest waits where it is
    assert moved([array]) == [(10, "8-11", {"partition": "other"})]
    assert moved([job(10, count=20, throttle=10, choices=lists)]) == [(10, "8-9", {"partition": "other"})]


def test_room_that_is_kept_for_others_is_left_alone() -> None:
    lists = choices(partition=["main", "other"])
    ahead = job(5, cpus_per_task=4.0, partition="other", priority=8)
    running = job(1, cpus_per_task=2.0, partition="other", priority=9, time_limit=60)
    fills = [busy(2), busy(3)]
    assert moved([*fills, running, ahead, job(10, choices=lists)]) == []
    short = job(10, choices=lists, time_limit=60)
    assert moved([*fills, running, ahead, short]) == [(10, "0", {"partition": "other"})]


def test_a_time_limit_is_made_as_short_as_it_must_be() -> None:
    running = job(1, cpus_per_task=2.0, priority=9, time_limit=600, nodelist=("n1",))
    ahead = job(5, cpus_per_task=4.0, nodes=2, ntasks=2, priority=8)
    shapes = choices(time_limit=[3600])
    for least, limit in ((300, 600), (601, 0)):
        slack = job(10, time_limit=3600, time_min=least, choices=shapes, priority=1)
        assert moved([running, ahead, slack]) == ([(10, "0", {"time_limit": limit})] if limit else [])


def test_what_was_shortened_and_could_not_start_is_not_changed_again() -> None:
    running = job(1, cpus_per_task=2.0, priority=9, time_limit=600, nodelist=("n1",))
    ahead = job(5, cpus_per_task=4.0, nodes=2, ntasks=2, priority=8)
    held = job(10, time_limit=600, time_min=300, choices=choices(time_limit=[3600]), priority=1, memory=9 * GIB)
    assert moved([running, ahead, held]) == []


def test_nobody_is_moved_past_what_their_user_may_have_there() -> None:
    lists = choices(partition=["main", "other"])
    tight = Partition(name="other", nodes=("n3",), max_jobs=1)
    jobs = [busy(1), busy(2), job(3, partition="other", priority=9), job(10, choices=lists)]
    assert moved(jobs, main=ALL, other=OTHER) == [(10, "0", {"partition": "other"})]
    seen = view(jobs, NODES, main=ALL, other=tight)
    first = plan(seen)
    hold_starts(seen, first)
    assert moves(seen, plan(seen), 100.0) == []


@pytest.mark.parametrize("held", ["", "0"])
def test_what_may_not_start_is_left_alone(held: str) -> None:
    lists = choices(partition=["main", "other"])
    made = moved([busy(1), busy(2), job(10, held=held, choices=lists)])
    assert bool(made) is (held == "")


def test_shapes_say_in_what_they_differ() -> None:
    one, two = spec(partition="a", nodes=2), spec(partition="b", nodes=2)
    assert fields_of([one]) == fields_of([one, one]) == ""
    assert fields_of([one, two]) == '[{"partition":"a"},{"partition":"b"}]'
    assert fields_of([spec(time_limit=60, time_min=30)]) == '[{"time_limit":60}]'


def test_temporary_disk_is_looked_at_and_not_used_up() -> None:
    large = Node(spec=NodeSpec(name="n2", cpus=4, memory=8 * GIB, tmp=GIB), state=NodeState.UP, epoch=1)
    seen = view([job(number, tmp=GIB) for number in (1, 2)] + [job(3, tmp=2 * GIB)], [node("n1"), large])
    assert where(plan(seen)) == {1: ["n2"], 2: ["n2"]}
