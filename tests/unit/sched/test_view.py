"""The view follows events, in any repetition, and says what the leader is to do."""

from __future__ import annotations

import pytest

from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.model.job import WAITING, Element
from crane_celery.model.node import NodeState
from crane_celery.model.states import State
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View
from tests.unit.sched.cases import (
    begin_event,
    end_event,
    event,
    ids,
    job,
    node,
    node_event,
    plan,
    start_event,
    submit,
    view,
)

DEP = encode(Resolved(False, ((Block("afterok", 10, 10, 3, 0, "afterok:10"),),)))


def busy() -> View:
    """Three elements of five started."""
    seen = view([job(10, count=5)])
    seen.started(plan(seen, max_starts=3).starts)
    seen.take_todo()
    return seen


def test_submit_wakes_planning_and_twice_is_once() -> None:
    seen = view()
    seen.take_todo()
    for _ in range(2):
        seen.apply(submit(job(7)))
    assert seen.take_todo().plan and ids(plan(seen)) == [7] and not seen.take_todo().plan


def test_own_starts_come_back_as_events_without_effect() -> None:
    seen = busy()
    free = list(seen.pool.cpu)
    for run in list(seen.runs.values()):
        seen.apply(start_event(run.id, run.job, run.parts))
    assert seen.pool.cpu == free and seen.entries[10].active == 3 and not seen.take_todo().plan


def test_starts_of_another_leader_are_taken_over() -> None:
    other, seen = busy(), view([job(10, count=5)])
    for run in other.runs.values():
        seen.apply(start_event(run.id, run.job, run.parts))
    assert seen.pool.cpu == other.pool.cpu and seen.entries[10].pending.text == "3-4"


def test_begin_is_an_answer() -> None:
    seen = busy()
    seen.apply(begin_event(10, 10))
    seen.apply(begin_event(11, 10, run=9))
    assert set(seen.starting["n1"]) == {11, 12}


def test_end_gives_back_once_and_wakes_planning() -> None:
    seen = busy()
    for _ in range(2):
        seen.apply(end_event(10, 10))
    assert seen.pool.cpu == [2000, 4000] and seen.take_todo().plan and seen.entries[10].active == 2


def test_an_end_of_another_run_is_not_ours() -> None:
    seen = busy()
    seen.apply(end_event(10, 10, run=2))
    assert 10 in seen.runs


def test_what_is_over_is_forgotten() -> None:
    seen = view([job(7)])
    seen.started(plan(seen).starts)
    seen.apply(end_event(7, 7, done=True))
    assert not seen.entries and not seen.runs and not len(seen.queue)


@pytest.mark.parametrize("order", [("hold", "release"), ("hold", "hold", "release", "release")])
def test_hold_and_release(order: tuple[str, ...]) -> None:
    seen = view([job(10, count=4)])
    for kind in order[: len(order) // 2]:
        seen.apply(event(kind, job=10, ranks="1-2"))
    assert ids(plan(seen)) == [10, 13]
    for kind in order[len(order) // 2 :]:
        seen.apply(event(kind, job=10, ranks="2"))
    assert ids(plan(seen)) == [10, 12, 13]


def test_cancel_of_pending_ranks() -> None:
    seen = busy()
    seen.apply(event("cancel", job=10, ranks="3-4", uid=1, done=False))
    assert not seen.entries[10].pending and seen.entries[10].active == 3


def test_cancel_of_a_whole_job() -> None:
    seen = view([job(7)])
    seen.apply(event("cancel", job=7, ranks="0", uid=1, done=True))
    assert not seen.entries


def test_a_dependant_starts_after_its_verdict() -> None:
    seen = view([job(10, count=3), job(20, dep=DEP, ready=WAITING)])
    assert ids(plan(seen)) == [10, 11, 12] and seen.watches
    seen.apply(event("judge", rows=[[20, 105.0]]))
    assert ids(plan(seen, 104.0)) == [10, 11, 12] and not seen.watches
    assert ids(plan(seen, 105.0)) == [10, 11, 12, 20]


@pytest.mark.parametrize(
    ("count", "done", "asks"), [(3, False, True), (1000, False, False), (1000, True, True), (0, True, False)]
)
def test_ends_of_dependees_make_it_ask(count: int, done: bool, asks: bool) -> None:
    block = Block("afterok", 10, 10, count, 0, "")
    dep = encode(Resolved(False, ((block,),)))
    jobs = [job(10, count=5), job(2000, dep=dep, ready=WAITING)]
    seen = view(jobs)
    seen.started(plan(seen).starts)
    seen.take_todo()
    seen.apply(end_event(11, 10, done=done))
    assert seen.take_todo().ask is asks


def test_kill_marks_the_run_and_is_passed_on() -> None:
    seen = busy()
    seen.apply(event("kill", rows=[[10, 1, "n1", 0], [11, 1, "n1", 12]]))
    seen.apply(event("kill_step", rows=[[11, 1, "n1", 0, 4]]))
    assert seen.take_todo().kills == {"n1": [(10, 1, 0, 1), (11, 1, 12, 1), (11, 1, 0, 4)]}
    assert seen.runs[10].cancelled and not seen.runs[11].cancelled


def test_nudge_and_a_worker_that_comes_back_ask_for_the_launches_again() -> None:
    seen = busy()
    seen.apply(event("nudge", node="n1"))
    assert seen.take_todo().resend == {"n1"}
    seen.apply(node_event(node("n1")))
    assert seen.take_todo().resend == {"n1"}


def test_a_node_changes_size_and_state_under_what_runs_there() -> None:
    seen = busy()
    seen.apply(node_event(node("n1", cpus=8)))
    assert seen.pool.cpu[0] == 5000
    seen.apply(node_event(node("n1", cpus=8, state=NodeState.DRAIN)))
    assert seen.pool.cpu[0] < 0
    seen.apply(end_event(10, 10))
    seen.apply(node_event(node("n1", cpus=8)))
    assert seen.pool.cpu[0] == 6000


def test_a_snapshot_with_running_elements() -> None:
    done = busy()
    elements = [
        Element(
            id=run.id,
            job=10,
            rank=run.rank,
            run=1,
            state=State.STARTING if run.rank else State.RUNNING,
            allocation=run.parts,
            leased_at=1.0,
            cancelled=run.rank == 2,
        )
        for run in done.runs.values()
    ]
    seen = view_of({}, 100.0, [job(10, count=5)], elements, done.pool.nodes)
    assert seen.pool.cpu == done.pool.cpu and set(seen.starting["n1"]) == {11, 12}
    assert seen.runs[12].cancelled and seen.take_todo().resend == {"n1"}


def test_unknown_kinds_and_unknown_jobs_are_passed_over() -> None:
    seen = view()
    for kind in ("lead", "forget", "step", "tomorrow"):
        seen.apply(event(kind, jobs=[1], rows=[]))
    seen.apply(event("hold", job=99, ranks="0"))
    seen.apply(event("judge", rows=[[99, 0.0]]))
    seen.apply(end_event(99, 99))
    assert not seen.entries
