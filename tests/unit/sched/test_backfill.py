"""Rooms are kept for those that find none; who is behind starts only where that delays nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crane_celery.model.node import Partition
from crane_celery.model.states import Reason
from crane_celery.model.weights import Draining, Priority
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.prioritise import Ranking, shares
from crane_celery.sched.view import View
from tests.unit.sched.cases import begin_event, end_event, event, ids, job, node, plan, submit, view


def busy(*jobs: Any, limit: int | None = 600, cpus: float = 3) -> View:
    """One node of 4 CPUs on which job 1 holds some for ten minutes; then these come."""
    seen = view([job(1, cpus_per_task=cpus, time_limit=limit)], [node("n1")])
    seen.started(plan(seen).starts)
    seen.apply(begin_event(1, 1))
    for each in jobs:
        seen.apply(submit(each))
    return seen


def reason(made: Plan, seen: View, job: int) -> Reason:
    place = seen.entries[job].parts[0].queued
    assert place is not None
    return made.blocked[place.kind].reason


def test_a_short_job_slips_in_and_a_long_one_does_not() -> None:
    wide = job(2, cpus_per_task=4, time_limit=600)
    seen = busy(wide, job(3, time_limit=3600), job(4, time_limit=500))
    made = plan(seen)
    assert ids(made) == [4]
    assert [(hold.job, hold.start, hold.end) for hold in made.holds[:1]] == [(2, 700.0, 1300.0)]
    assert (reason(made, seen, 2), reason(made, seen, 3)) == (Reason.RESOURCES, Reason.RESERVED)


def test_a_job_without_a_limit_never_slips_in() -> None:
    assert ids(plan(busy(job(2, cpus_per_task=4, time_limit=600), job(3)))) == []


def test_where_nothing_ends_nodes_are_drained() -> None:
    seen = busy(job(2, cpus_per_task=4, time_limit=600), job(3), limit=None)
    made = plan(seen)
    assert ids(made) == [] and [(hold.job, hold.unknown) for hold in made.holds] == [(2, True)]
    made = schedule(seen, 100.0, Config(draining=Draining(jobs=0)))
    assert ids(made) == [3] and not made.holds


def test_a_room_beside_the_kept_one_may_be_used_for_ever() -> None:
    made = plan(busy(job(2, cpus_per_task=3, time_limit=600), job(3)))
    assert ids(made) == [3]  # 1 + 3 CPUs fit beside each other


def test_rooms_follow_each_other() -> None:
    made = plan(busy(job(2, count=3, cpus_per_task=4, time_limit=100)))
    assert [hold.start for hold in made.holds] == [700.0, 800.0, 900.0]


def test_a_room_on_several_nodes() -> None:
    seen = view([job(1, time_limit=600, cpus_per_task=4)], [node("n1"), node("n2"), node("n3")])
    seen.started(plan(seen).starts)
    seen.apply(begin_event(1, 1))
    seen.apply(submit(job(2, nodes=3, ntasks=12, time_limit=60)))
    seen.apply(submit(job(3, cpus_per_task=4, time_limit=600)))
    seen.apply(submit(job(4, cpus_per_task=4, time_limit=601)))
    made = plan(seen)
    assert ids(made) == [3] and made.holds[0].start == 700.0 and len(made.holds[0].nodes) == 3


def test_a_room_outlives_the_plan_it_was_made_in() -> None:
    seen = busy(job(2, cpus_per_task=4, time_limit=600))
    first = plan(seen)
    seen.pool.freed.clear()
    seen.apply(submit(job(3, time_limit=3600)))
    made = schedule(seen, 100.0, Config(), first)
    assert ids(made) == [] and list(made.holds[:1]) == list(first.holds)


def test_who_is_ahead_gets_a_room_before_those_kept_earlier() -> None:
    seen = busy(job(2, cpus_per_task=4, time_limit=600))
    first = plan(seen)
    seen.pool.freed.clear()
    seen.apply(submit(job(3, cpus_per_task=4, time_limit=600, priority=9)))
    made = schedule(seen, 100.0, Config(), first)
    assert [hold.job for hold in made.holds] == [3, 2]


def test_an_end_before_its_time_starts_who_waited() -> None:
    seen = busy(job(2, cpus_per_task=4, time_limit=600))
    first = plan(seen)
    seen.pool.freed.clear()
    seen.apply(end_event(1, 1, done=True))
    assert ids(schedule(seen, 150.0, Config(), first)) == [2]


def test_a_longer_limit_and_a_pause_move_the_room() -> None:
    seen = busy(job(2, cpus_per_task=4, time_limit=600))
    seen.apply(event("order", rows=[[1, 1, "n1", {"limit": 900}]]))
    assert seen.unsettled and plan(seen).holds[0].start == 1000.0
    seen.apply(event("move", node="n1", rows=[[1, 1, 1, "Suspended", 200.0]]))
    assert [hold.unknown for hold in plan(seen).holds] == [True]
    seen.apply(event("move", node="n1", rows=[[1, 1, 1, "Running", 300.0]]))
    assert plan(seen).holds[0].start == 1100.0


def test_gres_of_a_kept_room() -> None:
    seen = view([job(1, time_limit=600, gres={"gpu": 2})], [node("n1", gpu_a=2)])
    seen.started(plan(seen).starts)
    seen.apply(begin_event(1, 1))
    seen.apply(submit(job(2, gres={"gpu:a": 2}, time_limit=60)))
    seen.apply(submit(job(3, gres={"gpu": 1}, time_limit=60)))
    made = plan(seen)
    assert [(hold.job, hold.start) for hold in made.holds] == [(2, 700.0), (3, 760.0)]


# --- order


def test_equals_take_turns_by_what_is_at_work() -> None:
    seen = view([job(10, count=100, uid=1), job(500, uid=2), job(501, uid=2), job(600, uid=3)], [node("n1", cpus=6)])
    assert ids(plan(seen)) == [10, 500, 600, 11, 501, 12]


def test_turns_count_what_runs_already() -> None:
    seen = view([job(10, count=100, uid=1)], [node("n1", cpus=4)])
    seen.started(plan(seen).starts)
    seen.apply(submit(job(500, count=3, uid=2)))
    for id in (10, 11):
        seen.apply(end_event(id, 10))
    assert ids(plan(seen)) == [500, 501]


def test_one_user_s_jobs_go_in_order() -> None:
    seen = view([job(10, count=3), job(20), job(30, cpus_per_task=0.5)], [node("n1", cpus=64)])
    assert ids(plan(seen)) == [10, 11, 12, 20, 30]


def test_shares_and_ages() -> None:
    factors = shares({1: 30.0, 2: 10.0})
    assert factors[1] < 0.5 < factors[2] < 1.0 and shares({}) == {}
    ranking = Ranking(shares=factors)
    one, two, old = job(1, uid=1), job(2, uid=2), job(3, uid=1)
    assert ranking.value(two, two.spec, 1.0) > ranking.value(one, one.spec, 1.0)
    assert (
        ranking.value(old, old.spec, 1.0 + 14 * 86400)
        == ranking.value(old, old.spec, 9e9)
        == (ranking.value(one, one.spec, 1.0) + 500)
    )


def test_a_priority_that_was_set_is_compared_with_those_that_were_not() -> None:
    """Check that what time and use add counts for both: else a job that was raised would run last."""
    ranking, usual, raised = Ranking(), job(1), job(2)
    usual, raised = replace(usual, priority=1000.0), replace(raised, priority=1000.0)
    above = replace(raised.spec, priority=1001)
    assert ranking.value(raised, above, 50.0) == ranking.value(usual, usual.spec, 50.0) + 1
    basic = Ranking(Priority(kind="basic"))
    assert basic.value(raised, above, 50.0) == 1001 > basic.value(usual, usual.spec, 50.0)


# --- limits


def test_licences() -> None:
    jobs = [job(1, count=3, licenses="matlab:2"), job(5, licenses="matlab:1|ansys:1"), job(6)]
    seen = view(jobs, [node("n1", cpus=64)])
    config = Config(licenses={"matlab": 5, "ansys": 1})
    made = schedule(seen, 100.0, config)
    assert ids(made) == [1, 2, 5, 6]
    assert made.starts[0].allocation[0].gres == {"license:matlab": (0, 1)}
    assert reason(made, seen, 1) is Reason.LICENSES
    seen.started(made.starts)
    assert seen.work.licenses == {"matlab": 4, "ansys": 1}  # what is free of matlab is withheld for 3, which is ahead
    assert ids(schedule(seen, 100.0, config)) == []
    seen.apply(end_event(1, 1))
    assert ids(schedule(seen, 100.0, config)) == [3]


def test_so_many_of_one_user_at_once() -> None:
    nodes = [node("n1", cpus=64)]
    main = Partition(name="main", nodes=("n1",), max_jobs=2)
    seen = view([job(1, count=9, uid=1), job(20, uid=2)], nodes, main=main)
    made = plan(seen)
    assert ids(made) == [1, 20, 2] and reason(made, seen, 1) is Reason.USER_LIMIT
    assert len(schedule(view([job(1, count=9)], nodes), 100.0, Config(max_jobs=4)).starts) == 4


def test_features() -> None:
    from dataclasses import replace

    fast = node("n2")
    nodes = [node("n1"), replace(fast, spec=replace(fast.spec, features=("fast", "ib")))]
    seen = view([job(1, constraint="fast&ib"), job(2, constraint="slow")], nodes)
    made = plan(seen)
    assert [(start.job, start.allocation[0].node) for start in made.starts] == [(1, "n2")]
