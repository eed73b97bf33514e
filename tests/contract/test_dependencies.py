"""The kinds of dependency beyond the document's, on both stores: what the leader hears, and what it may then start."""

import pytest

from crane_celery.model.dependency import Block, Resolved, decode, encode, judge
from crane_celery.model.job import NEVER, WAITING
from crane_celery.model.states import NODE_DOWN, STATUS_LOST, TIME_LIMIT
from crane_celery.store.api import Answer, Store, Submission
from tests.contract.world import World, needs, spec


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def answer(world: World) -> None:
    """Judge what is asked, as the leader does."""
    asked = world.store.questions(world.fence, 100)
    verdicts = [(q.job, judge(decode(q.dep), dict(q.facts))) for q in asked]
    answers = [Answer(job, encode(v.dep), v.ready, v.corr, v.dead) for job, v in verdicts]
    world.store.judge(world.fence, answers)


def gate(world: World, job: int) -> tuple[float, str, str]:
    """Return what stands in the way of a job, after judging."""
    answer(world)
    found = world.store.job(job)
    assert found
    return min(found.ready, 1.0), found.corr, found.dead


def test_element_by_element(world: World) -> None:
    array = world.submit(4)
    other = world.submit(4, dep=needs("aftercorr", array, count=4))
    assert gate(world, other) == (0.5, "0-3", "")
    assert world.start(other, 0) == ["not ready"]
    world.start(array, 1, 2)
    world.end(array + 1)
    world.end(array + 2, state="Failed", code=3)
    assert gate(world, other) == (0.5, "0,3", "2")
    assert world.start(other, 0, 1, 2) == ["not ready", "", "not ready"]
    world.store.cancel(array, "", 0)
    assert gate(world, other) == (0.5, "", "0,2-3")
    assert world.store.questions(world.fence, 9) == [] and world.store.cancel(array, "", 0).waiting == 0


def test_element_by_element_of_what_all_failed(world: World) -> None:
    array = world.submit(3)
    other = world.submit(3, dep=needs("aftercorr", array, count=3))
    world.store.cancel(array, "", 0)
    assert gate(world, other)[0] == NEVER


def test_element_by_element_across_bytes_and_other_indexes(world: World) -> None:
    world.submit(13)
    array = world.submit(30)
    block = Block("aftercorr", array, array, 30, 0, "aftercorr", 0.0, "0-58:2", "0-9")
    other = world.submit(10, dep=encode(Resolved(False, ((block,),))))
    world.start(array, 0, 3)
    world.end(array, array + 3)
    assert gate(world, other) == (0.5, "1-5,7-9", "")
    world.start(array, 29)
    world.end(array + 29, state="Failed", code=1)
    assert gate(world, other) == (0.5, "2,4,8", "1,3,5,7,9")


@pytest.mark.parametrize("code", [NODE_DOWN, TIME_LIMIT, STATUS_LOST, 3, 0])
def test_after_a_lost_run(world: World, code: int) -> None:
    one = world.submit()
    two = world.submit(dep=needs("afterexcept", one))
    assert gate(world, two)[0] == WAITING
    world.run(one, "Failed" if code else "Completed", code)
    while (found := world.store.job(one)) and found.pending:
        world.run(one, "Failed", code)
    assert gate(world, two)[0] == (1.0 if code >= TIME_LIMIT else NEVER)


def test_while_another_runs(world: World) -> None:
    one = world.submit()
    two, three = (world.submit(dep=needs("expand", one)) for _ in "12")
    world.start(one)
    world.begin(one)
    assert gate(world, two)[0] == 1.0
    world.end(one)
    late = world.submit(dep=needs("expand", one))
    assert gate(world, late)[0] == NEVER and gate(world, three)[0] == 1.0


@pytest.mark.parametrize("ends", [("Failed", "Completed"), ("Completed", "Failed")])
def test_the_last_element_decides(world: World, ends: tuple[str, str]) -> None:
    array = world.submit(2)
    ok, bad = (
        world.submit(dep=encode(Resolved(False, ((Block(kind, array, array, 2, 0, kind, last=True),),))))
        for kind in ("afterok", "afternotok")
    )
    world.start(array, 0, 1)
    for id_, state in zip((array, array + 1), ends, strict=True):
        world.end(id_, state=state, code=int(state == "Failed"))
    good = ends[1] == "Completed"
    assert (gate(world, ok)[0], gate(world, bad)[0]) == ((1.0, NEVER) if good else (NEVER, 1.0))


def test_asked_again_by_the_leader(world: World) -> None:
    dep = encode(Resolved(False, ((Block("singleton", 0, 0, 0, 0, "singleton"),),)))
    one = world.submit(dep=dep)
    [asked] = world.store.questions(world.fence, 9)
    world.store.judge(world.fence, [Answer(one, dep, WAITING)])
    assert world.store.questions(world.fence, 9) == []
    world.store.ask(world.fence, [one, 999])
    assert world.store.questions(world.fence, 9) == [asked]


def test_an_alternative_outruns_a_delay(world: World) -> None:
    one, two = world.submit(), world.submit()
    groups = ((Block("afterok", one, one, 1, 7200, "afterok"),), (Block("after", two, two, 1, 0, "after"),))
    either = world.submit(dep=encode(Resolved(True, groups)))
    both = world.submit(dep=encode(Resolved(False, groups)))
    world.run(one, "Completed", 0)
    answer(world)
    found = world.store.job(either)
    assert found and found.ready > world.store.now() + 7000 and gate(world, both)[0] == WAITING
    world.store.cancel(two, "", 0)
    answer(world)
    found = world.store.job(either)
    assert found and 0 < found.ready <= world.store.now() and world.start(either) == [""]
    assert world.start(both) == ["not ready"]


def test_nothing_is_asked_of_an_alternative_that_has_come_true(world: World) -> None:
    one, two = world.submit(), world.submit()
    groups = tuple((Block("after", each, each, 1, 0, "after"),) for each in (one, two))
    either = world.submit(held=True, dep=encode(Resolved(True, groups)))
    world.run(one, "Completed", 0)
    assert gate(world, either)[0] == 1.0
    world.run(two, "Completed", 0)
    assert world.store.questions(world.fence, 9) == []


def test_of_a_forgotten_array_all_elements_count_where_the_last_one_did(store: Store) -> None:
    """Which of them ended last is not kept."""
    world = World(store)
    array = world.submit(2)
    assert world.start(array, 0, 1) == ["", ""]
    world.end(array, state="Failed", code=1)
    world.end(array + 1)
    dep = encode(Resolved(False, ((Block("afterok", array, array, 2, 0, f"afterok:{array}", last=True),),)))
    store.submit([Submission(spec(), 1, b"", dep)], [""])
    [before] = store.questions(world.fence, 10)
    store.set_cursor("recorder", store.last_event())
    assert store.forget(world.fence, store.now() + 1, 10).jobs == 1
    [after] = store.questions(world.fence, 10)
    assert [facts.last_ok for question in (before, after) for _, facts in question.facts] == [True, False]
