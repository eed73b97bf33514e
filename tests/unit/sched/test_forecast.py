"""When what waits is expected to start, and who is ahead."""

from __future__ import annotations

from dataclasses import replace

from crane_celery.model.node import Node, NodeState, Partition
from crane_celery.model.weights import Draining
from crane_celery.sched import fallout
from crane_celery.sched.forecast import PLACED, Ahead, Expected, ahead, forecast
from crane_celery.sched.plan import Config
from crane_celery.sched.view import View
from tests.unit.sched.cases import GIB, begin_event, ids, job, node, plan, submit, view


def busy(limit: int | None = 600) -> View:
    """Two nodes of 4 CPUs; job 1 holds all of n1 for ten minutes from 100 on."""
    seen = view([job(1, cpus_per_task=4, time_limit=limit)], [node("n1"), node("n2")])
    seen.started(plan(seen).starts)
    seen.apply(begin_event(1, 1))
    return seen


def test_now_then_after_what_runs_then_after_each_other() -> None:
    seen = busy()
    for id in (2, 3, 4):
        seen.apply(submit(job(id, cpus_per_task=4, time_limit=100)))
    assert forecast(seen, 100.0, Config()) == {
        2: Expected(100.0, ("n2",)),
        3: Expected(200.0, ("n2",)),
        4: Expected(300.0, ("n2",)),
    }


def test_what_starts_now_by_the_plan_is_expected_now() -> None:
    seen = busy()
    for id in range(2, 9):
        seen.apply(submit(job(id, cpus_per_task=1 + id % 3, time_limit=100 * id)))
    found = forecast(seen, 100.0, Config())
    assert sorted(ids(plan(seen))) == sorted(id for id, each in found.items() if each.start == 100.0)


def test_behind_a_run_without_end_nobody_knows() -> None:
    seen = busy(limit=None)
    seen.apply(submit(job(2, nodes=2, ntasks=8, time_limit=100)))
    seen.apply(submit(job(3, time_limit=100)))
    assert forecast(seen, 100.0, Config()) == {}  # n2 is drained towards 2, until a time that nobody knows
    assert forecast(seen, 100.0, Config(draining=Draining(jobs=0))) == {3: Expected(100.0, ("n2",))}


def test_elements_as_far_as_the_throttle_lets_them() -> None:
    seen = busy()
    seen.apply(submit(job(10, count=1_000_000, throttle=2, time_limit=50)))
    assert sorted(forecast(seen, 100.0, Config())) == [10, 11]
    seen.apply(submit(job(2_000_000, count=1_000_000, time_limit=50)))
    assert len(forecast(seen, 100.0, Config())) == 2 + PLACED


def test_licences_and_limits_of_a_user_have_no_time() -> None:
    main = Partition(name="main", nodes=("n1",), max_jobs=1)
    seen = view([job(1), job(2)], [node("n1")], main=main)
    assert sorted(forecast(seen, 100.0, Config())) == [1]
    seen = view([job(1, licenses="m:1"), job(2, licenses="m:1")], [node("n1")])
    assert sorted(forecast(seen, 100.0, Config(licenses={"m": 1}))) == [1]


# --- who is ahead


def test_who_is_ahead_and_why() -> None:
    partitions = {
        "main": Partition(name="main", nodes=("n1",)),
        "fast": Partition(name="fast", nodes=("n1",), priority=2),
        "other": Partition(name="other", nodes=("n2",), priority=9),
    }
    nodes = [node("n1"), node("n2")]
    jobs = [
        job(1),
        job(2, priority=5),
        job(3, partition="fast"),
        job(4, partition="other"),
        job(5),
        job(6),
        job(7, held="0"),
    ]
    seen = view(jobs, nodes, **partitions)
    assert ahead(seen, Config(), 100.0, 5) == [
        Ahead(3, "its partition goes first, 2 over 0"),
        Ahead(2, f"priority {_value(seen, 2):g} over {_value(seen, 5):g}"),
        Ahead(1, "submitted earlier"),
    ]
    assert ahead(seen, Config(), 100.0, 7) == []


def _value(seen: View, id: int) -> float:
    entry = seen.entries[id]
    return Config().ranking.value(entry.job, entry.spec, 100.0)


def test_whose_user_has_less_at_work_is_ahead() -> None:
    seen = view([job(10, count=100, uid=1, time_limit=60)], [node("n1", cpus=2)])
    seen.started(plan(seen).starts)
    seen.apply(submit(job(500, uid=2)))
    assert ahead(seen, Config(), 100.0, 10) == [Ahead(500, "its user has 0 at work, this one's 2")]
    assert ahead(seen, Config(), 100.0, 500) == []


# --- where nodes fall out


def test_each_node_falls_out_once_with_the_numbers() -> None:
    def with_features(made: Node, *features: str) -> Node:
        return replace(made, spec=replace(made.spec, features=features))

    nodes = [
        with_features(node("n1", cpus=8), "ib"),
        with_features(node("n2", cpus=8), "ib"),
        with_features(node("n3", cpus=2), "ib"),
        with_features(node("n4", cpus=8, state=NodeState.DOWN), "ib"),
        with_features(node("n5", cpus=8, state=NodeState.DRAIN), "ib"),
        with_features(node("n6", cpus=8, memory=GIB // 2), "ib"),
        node("n7", cpus=8),
        with_features(node("n8", cpus=8), "ib"),
    ]
    seen = view([job(1, cpus_per_task=5, nodelist=("n1",)), job(2, cpus_per_task=6, nodelist=("n2",))], nodes)
    seen.started(plan(seen).starts)
    seen.apply(submit(job(3, cpus_per_task=4, constraint="ib", exclude=("n8",))))
    found = fallout.count(seen.pool, seen.entries[3].want)
    assert (found.nodes, found.room) == (8, 0)
    assert [each.text for each in found.fallouts] == [
        "2 nodes: too few CPUs free, 4 needed, at most 3 there, 1 short",
        "1 node: too few CPUs, 4 needed, at most 2 there, 2 short",
        "1 node: down",
        "1 node: drained",
        "1 node: too little memory, 1024M needed, at most 512M there, 512M short",
        "1 node: without the features ib",
        "1 node: excluded by the job",
    ]


def test_gres_whole_nodes_and_kept_rooms() -> None:
    seen = view([job(1, gres={"gpu": 1}, time_limit=60)], [node("n1", gpu_a=2), node("n2")])
    seen.started(plan(seen).starts)
    for made in (job(2, gres={"gpu": 2}), job(3, exclusive=True), job(4)):
        seen.apply(submit(made))
    texts = {
        id: [each.text for each in fallout.count(seen.pool, seen.entries[id].want, lambda at, _: at == 0).fallouts]
        for id in (2, 3, 4)
    }
    assert texts == {
        2: [
            "1 node: too few gpu free, 2 needed, at most 1 there, 1 short",
            "1 node: too few gpu, 2 needed, at most 0 there, 2 short",
        ],
        3: ["1 node: in use, and whole nodes were asked for", "1 node: room that is kept for jobs ahead"],
        4: ["1 node: room that is kept for jobs ahead"],
    }
