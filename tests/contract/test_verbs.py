"""Every verb of store.api on both implementations."""

from __future__ import annotations

import threading

import pytest

from crane_celery.errors import InputError, NotFound, StaleFence
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import replay
from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.job import NEVER, WAITING, StepRow
from crane_celery.model.node import NodeState
from crane_celery.model.states import State
from crane_celery.store.api import Answer, Began, Ended, Report, Store, Submission
from tests.contract.world import World, needs, node, spec


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def answer(world: World, limit: int = 100) -> dict[int, float]:
    """Judge what is asked, as the leader does; verdicts by job."""
    asked = world.store.questions(world.fence, limit)
    verdicts = [(q.job, *judge(decode(q.dep), dict(q.facts))) for q in asked]
    world.store.judge(world.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])
    return {job: ready for job, _, ready, *_ in verdicts}


# --- submit


def test_which_elements_ended_and_succeeded(world: World) -> None:
    job = world.store.submit([Submission(spec("0-99"), 100, b"")], [""])[0]
    assert world.store.outcome(job, 100) == (RangeSet(), RangeSet())
    for rank, state in ((0, "Completed"), (7, "Failed"), (8, "Completed"), (9, "Completed"), (99, "Completed")):
        assert world.start(job, rank) == [""]
        world.begin(job + rank)
        world.end(job + rank, state=state, code=0 if state == "Completed" else 1)
    assert world.store.outcome(job, 100)[1].text == "0,8-9,99"
    assert world.store.outcome(job + 9, 90)[1].text == "0" and not world.store.outcome(job + 10, 89)[1]


def test_submit_keeps_the_whole_record(world: World) -> None:
    store = world.store
    assert store.submit(
        [Submission(spec(), 1, b"\0\xff"), Submission(spec("0-4"), 5, b"", "", True, 2.5)], ["", ""]
    ) == [1, 2]
    job, array = store.job(1), store.job(2)
    assert job and job.spec == spec() and (job.pending, job.held, job.ready, job.count) == ("0", "", 0.0, 1)
    assert array and (array.pending, array.held, array.priority, array.is_array) == ("0-4", "0-4", 2.5, True)
    assert abs(job.submitted_at - store.now()) < 60
    assert store.body(1) == b"\0\xff" and store.body(9) is None
    assert [found and found.id for found in map(store.find, range(8))] == [None, 1, 2, 2, 2, 2, 2, None]
    assert [store.known(id_) for id_ in (0, 1, 6, 7)] == [False, True, True, False]
    assert [job.id for job in store.jobs()] == [1, 2] and [job.id for job in store.jobs([2, 9])] == [2]


def test_a_key_seen_before_returns_the_first_id(world: World) -> None:
    first = world.store.submit([Submission(spec(), 1, b"")] * 2, ["a", "b"])
    assert world.store.submit([Submission(spec(), 1, b"")] * 3, ["b", "", "a"]) == [first[1], 3, first[0]]
    assert len(world.store.jobs()) == 3


def test_large_batches_come_back_in_order(world: World) -> None:
    ids = world.store.submit([Submission(spec(), 1 + n % 2, b"x" * 100) for n in range(200)], [""] * 200)
    assert ids == [1 + n + n // 2 for n in range(200)]


@pytest.mark.parametrize(("job", "first", "count"), [(99, 99, 1), (1, 1, 9), (0, 0, 1), (1, -4, 1)])
def test_an_unknown_dependee_takes_nothing(world: World, job: int, first: int, count: int) -> None:
    world.submit()
    for extra in (0, 100):
        jobs = [Submission(spec(), 1, b"")] * extra + [Submission(spec(), 1, b"", needs("afterok", job, first, count))]
        with pytest.raises(NotFound, match="no job"):
            world.store.submit(jobs, [""] * len(jobs))
    assert [job.id for job in world.store.jobs()] == [1] and not world.store.known(2)


def test_an_empty_submission_is_refused(world: World) -> None:
    with pytest.raises(InputError):
        world.store.submit([Submission(spec(), 0, b"")], [""])


def test_a_nodes_load_is_that_of_its_last_heartbeat(world: World) -> None:
    def loads() -> list[float]:
        return [node.load for node in world.store.nodes() if node.spec.name == "n1"]

    assert loads() == [-1.0]
    world.store.heartbeat("n1", world.epoch, 3600, 2.5)
    assert loads() == [2.5]
    world.store.set_node("n1", NodeState.DRAIN, "disks")
    assert loads() == [2.5]
    world.store.heartbeat("n1", world.epoch, 3600)
    assert loads() == [-1.0]


# --- start and report


def test_a_start_makes_the_record_and_the_lease(world: World) -> None:
    job = world.submit(5)
    assert world.start(job, 1, 3) == ["", ""]
    assert world.store.jobs()[0].pending == "0,2,4"
    [one, three] = world.store.elements()
    assert (one.id, one.job, one.rank, one.run, one.state) == (job + 1, job, 1, 1, State.STARTING)
    assert one.allocation[0].gres == {"gpu:a": (0,)} and three.id == job + 3
    assert world.store.heartbeat("n1", world.epoch, 0).unanswered == [(job + 1, 1), (job + 3, 1)]
    assert world.store.heartbeat("n1", world.epoch, 3600).unanswered == []


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("twice", "not pending"),
        ("held", "held"),
        ("waiting", "not ready"),
        ("unknown", "no such job"),
        ("drained", "node n1 is drain"),
        ("no node", "node nx is unknown"),
        ("cancelled", "not pending"),
    ],
)
def test_a_start_is_checked_again(world: World, why: str, expected: str) -> None:
    store, job, nodes = world.store, world.submit(held=why == "held"), ("n1",)
    match why:
        case "twice":
            world.start(job)
        case "waiting":
            job = world.submit(dep=needs("afterok", job))
        case "unknown":
            job = 99
        case "drained":
            store.set_node("n1", NodeState.DRAIN, "")
        case "no node":
            nodes = ("n1", "nx")
        case "cancelled":
            store.cancel(job, "", 0)
    before = store.jobs(), store.elements()
    assert world.start(job, nodes=nodes) == [expected]
    assert (store.jobs(), store.elements()) == before


def test_an_older_fence_changes_nothing(world: World) -> None:
    job, store = world.submit(), world.store
    store.resign("tester")
    assert store.lead("other", 3600) == world.fence + 1 and store.lead("tester", 60) == 0
    for call in (
        lambda: world.start(job),
        lambda: store.lose(world.fence, "n1", ""),
        lambda: store.questions(world.fence, 1),
        lambda: store.judge(world.fence, [Answer(job, "", 0.0)]),
        lambda: store.forget(world.fence, 0, 1),
    ):
        with pytest.raises(StaleFence):
            call()
    assert store.jobs()[0].pending == "0"


def test_a_life(world: World) -> None:
    job = world.submit()
    world.run(job, "Failed", 3)
    record, [element] = world.store.job(job), world.store.elements([job])
    assert record and (record.began, record.ended, record.ok, record.worst_code) == (1, 1, 0, 3)
    assert record.worst_state == State.FAILED and record.ended_at > 0
    assert (element.state, element.code, element.reason) == (State.FAILED, 3, "why \udc80")
    assert 0 < element.leased_at <= element.began_at <= element.ended_at
    assert world.store.jobs() == [] and world.store.elements() == []
    assert world.store.ended_bits(1, 10) == (1, 0)
    assert world.kinds() == ["lead", "node", "submit", "start", "begin", "end"]


def test_begin_and_end_in_one_report(world: World) -> None:
    job, now = world.submit(3), world.store.now()
    world.start(job, 0, 1, 2)
    oom = Ended(job + 2, 1, "OutOfMemory", 9, now, now, "", 0.0, 1 << 40, 3)
    ended = [Ended(job + 1, 1, "Completed", 0, 0, 0), oom]
    world.store.report("n1", world.epoch, Report([Began(job, 1, now), Began(job + 1, 1, 0)], ended))
    record = world.store.job(job)
    assert record and (record.began, record.ended, record.ok, record.worst_state) == (3, 2, 1, State.OOM)
    assert [e.state for e in world.store.elements()] == [State.RUNNING]
    assert [e.memory_deaths for e in world.store.elements([job + 1, job + 2])] == [0, 3]
    assert world.store.heartbeat("n1", world.epoch, 0).unanswered == []


def test_memory_deaths_are_those_of_the_last_run(world: World) -> None:
    job = world.submit(requeue="failure")
    for run, state, deaths in ((1, "Failed", 2), (2, "Completed", 0)):
        world.start(job, 0, run=run)
        assert [e.memory_deaths for e in world.store.elements([job])] == [0]
        ended = Ended(job, run, state, int(state == "Failed"), 0, 0, "", 0.0, 0, deaths)
        world.store.report("n1", world.epoch, Report((), [ended]))
        assert [e.memory_deaths for e in world.store.elements([job])] == [deaths]


def test_a_report_repeated_says_nothing_new(world: World) -> None:
    job = world.submit()
    world.run(job)
    before = world.store.job(job), world.kinds()
    world.begin(job)
    world.end(job, state="Failed", code=9)
    world.end(job, run=2)
    world.end(77)
    assert (world.store.job(job), world.kinds()) == before


def test_reports_of_another_node_or_epoch(world: World) -> None:
    job = world.submit()
    world.start(job)
    other = world.store.register(node("n2"), "h", "none", "1", "b")
    world.store.report("n2", other.epoch, Report((), [Ended(job, 1, "Completed", 0, 0, 0)]))
    assert world.store.job(job).ended == 0
    for name, epoch in (("n1", world.epoch + 1), ("n9", 1)):
        with pytest.raises(StaleFence):
            world.store.report(name, epoch, Report())


def test_steps_are_kept_by_run_and_never_go_back(world: World) -> None:
    job = world.submit()
    world.start(job)
    row = {"job": job, "run": 1, "name": 'x "\udc80', "node": "n1"}
    begun = StepRow(step=2, state=State.RUNNING, began_at=1.5, **row)
    ended = StepRow(step=2, state=State.FAILED, began_at=1.5, ended_at=2.25, code=4, **row)
    ten = StepRow(step=10, state=State.RUNNING, **row)
    for steps in ([begun, ten], [ended], [begun], [ended]):
        world.store.report("n1", world.epoch, Report((), (), steps))
    assert world.store.steps(job, 1) == [ended, ten] and world.store.steps(job, 2) == []
    assert world.kinds().count("step") == 2


def test_a_run_on_two_nodes_ends_with_either(world: World) -> None:
    world.store.register(node("n2"), "h", "none", "1", "b")
    job = world.submit(2)
    assert world.start(job, 0, 1, nodes=("n1", "n2")) == ["", ""]
    world.end(job)
    assert world.store.register(node("n2"), "h", "none", "1", "b").live == [(job + 1, 1)]
    assert world.store.lose(world.fence, "n2", "gone") == [job + 1]
    assert world.store.register(node(), "host", "none", "1", "boot-1").live == []


# --- cancel and hold


def test_cancel_ends_what_is_pending_and_stops_what_runs(world: World) -> None:
    job = world.submit(10)
    world.start(job, 0, 1)
    world.begin(job)
    assert world.store.cancel(job, "", 5) == (8, [job, job + 1], 0)
    assert world.store.cancel(job, "", 5) == (0, [job, job + 1], 0)
    record = world.store.job(job)
    assert record and (record.pending, record.ended, record.worst_state, record.worst_code) == (
        "",
        8,
        State.CANCELLED,
        320,
    )
    assert all(e.cancelled for e in world.store.elements())
    assert world.store.heartbeat("n1", world.epoch, 0).kills == [(job, 1, 0), (job + 1, 1, 0)]
    world.end(job, job + 1, state="Cancelled", code=320)
    assert world.store.heartbeat("n1", world.epoch, 0).kills == []
    assert world.store.jobs() == [] and world.store.ended_bits(job, 10) == (10, 0)
    assert world.kinds().count("kill") == 1 and world.kinds().count("cancel") == 1


def test_cancel_of_a_part(world: World) -> None:
    job = world.submit(10)
    world.store.hold(job, "2-5", True)
    world.start(job, 8, 9)
    assert world.store.cancel(job, "1-3,8,50-60", 0) == (3, [job + 8], 0)
    record = world.store.job(job)
    assert record and (record.pending, record.held) == ("0,4-7", "4-5")
    with pytest.raises(NotFound):
        world.store.cancel(99, "", 0)


def test_a_signal_reaches_only_what_runs(world: World) -> None:
    job = world.submit(3)
    world.start(job, 0)
    assert world.store.cancel(job, "", 0, signal=10) == (0, [job], 0)
    assert world.store.heartbeat("n1", world.epoch, 0).kills == []
    world.store.cancel(job, "", 0, signal=9)
    assert world.store.heartbeat("n1", world.epoch, 0).kills == [(job, 1, 9)]
    assert not world.store.elements()[0].cancelled
    world.store.cancel(job, "0", 0)
    world.store.cancel(job, "0", 0, signal=9)
    assert world.store.heartbeat("n1", world.epoch, 0).kills == [(job, 1, 0)]
    world.end(job)
    assert world.store.heartbeat("n1", world.epoch, 0).kills == []


def test_hold_and_release(world: World) -> None:
    job = world.submit(10)
    for ranks, on, held in (
        ("3-5,90", True, "3-5"),
        ("4-6", True, "3-6"),
        ("5", False, "3-4,6"),
        ("", True, "0-9"),
        ("", False, ""),
    ):
        world.store.hold(job, ranks, on)
        assert world.store.job(job).held == held
    count = len(world.kinds())
    world.store.hold(job, "", False)
    assert len(world.kinds()) == count
    with pytest.raises(NotFound):
        world.store.hold(99, "", True)


# --- dependencies


@pytest.mark.parametrize(
    ("kind", "state", "ready"),
    [
        ("afterok", "Completed", "ready"),
        ("afterok", "Failed", "never"),
        ("afternotok", "Failed", "ready"),
        ("afternotok", "Completed", "never"),
        ("afterany", "Failed", "ready"),
        ("after", "Completed", "ready"),
    ],
)
def test_a_dependency_is_judged_when_it_can_be(world: World, kind: str, state: str, ready: str) -> None:
    one = world.submit()
    two = world.submit(dep=needs(kind, one))
    assert world.store.job(two).ready == WAITING
    assert answer(world) == {two: WAITING}
    assert answer(world) == {}
    world.start(one)
    world.begin(one)
    verdicts = answer(world)
    assert (verdicts == {two: world.store.elements()[0].began_at}) == (kind == "after")
    world.end(one, state=state, code=int(state == "Failed"))
    answer(world)
    job = world.store.job(two)
    assert job and (job.ready > 0 if ready == "ready" else job.ready == NEVER)
    assert (world.start(two) == [""]) == (ready == "ready")
    assert world.store.cancel(one, "", 0).waiting == 0


def test_after_fires_at_an_end_without_a_begin(world: World) -> None:
    one = world.submit(4)
    two = world.submit(dep=needs("after", one, one, 4))
    world.start(one, 0)
    world.end(one, state="Failed", code=324)
    assert answer(world) == {two: WAITING}
    assert world.store.cancel(one, "", 0).waiting == 1
    assert answer(world)[two] > 0


def test_a_dependee_that_ended_long_ago_is_judged(world: World) -> None:
    one = world.submit()
    world.run(one)
    ended = world.store.job(one)
    two = world.submit(dep=needs("afterok", one, delay=60))
    assert ended and answer(world)[two] == pytest.approx(world.store.elements([one])[0].ended_at + 60, abs=1e-3)
    world.store.set_cursor("recorder", world.store.last_event())
    assert world.store.forget(world.fence, world.store.now() + 1, 10).jobs == 1
    three = world.submit(dep=needs("afterok", one))
    assert answer(world) == {three: 1.0}


def test_parts_of_an_array(world: World) -> None:
    array = world.submit(10)
    two = world.submit(dep=needs("afterok", array, array + 4, 3))
    answer(world)
    world.start(array, *range(10))
    world.end(array, array + 4, array + 5)
    assert answer(world) == {two: WAITING}
    world.end(array + 6)
    assert answer(world)[two] > 0


def test_whole_arrays_ask_only_when_it_can_matter(world: World) -> None:
    array = world.submit(4)
    two = world.submit(dep=needs("afterok", array, array, 4))
    answer(world)
    world.start(array, 0, 1, 2, 3)
    world.end(array)
    world.begin(array + 1, array + 2)
    assert world.store.questions(world.fence, 10) == []
    world.end(array + 1, state="Failed", code=1)
    assert answer(world) == {two: NEVER}


def test_questions_stay_until_judged_and_no_change_is_missed(world: World) -> None:
    one = world.submit()
    two = world.submit(dep=needs("afterok", one))
    [asked] = world.store.questions(world.fence, 5)
    assert [q.job for q in world.store.questions(world.fence, 5)] == [two]
    world.run(one)
    world.store.judge(world.fence, [Answer(two, asked.dep, WAITING)])
    assert answer(world)[two] > 0
    assert world.store.questions(world.fence, 5) == []


def test_a_verdict_never_overwrites_a_later_one(world: World) -> None:
    one = world.submit()
    dep = needs("afterok", one)
    two, three = world.submit(dep=dep), world.submit(dep=dep)
    world.store.cancel(three, "", 0)
    assert [q.job for q in world.store.questions(world.fence, 5)] == [two]
    world.store.judge(
        world.fence, [Answer(two, dep, 7.0), Answer(two, dep, NEVER), Answer(three, dep, 7.0), Answer(99, dep, 7.0)]
    )
    assert [world.store.job(j).ready for j in (two, three)] == [7.0, WAITING]
    assert world.store.cancel(one, "", 0).waiting == 0


def test_many_dependants_are_asked_in_portions(world: World) -> None:
    one = world.submit()
    dep = needs("afterany", one)
    ids = world.store.submit([Submission(spec(), 1, b"", dep)] * 150, [""] * 150)
    seen: list[int] = []
    while verdicts := answer(world, 40):
        seen += verdicts
    assert sorted(seen) == ids
    assert world.store.cancel(one, "", 0).waiting == 150
    seen.clear()
    while verdicts := answer(world, 40):
        seen += [job for job, ready in verdicts.items() if ready > 0]
    assert sorted(seen) == ids


# --- nodes


def test_registration(world: World) -> None:
    job = world.submit(2)
    world.start(job, 0, 1)
    world.begin(job)
    again = world.store.register(node(), "host2", "v2", "2", "boot-1")
    assert again == (world.epoch, [(job, 1), (job + 1, 1)])
    reborn = world.store.register(node(), "host2", "v2", "2", "boot-2")
    assert reborn == (world.epoch + 1, [])
    record, found = world.store.job(job), world.store.node("n1")
    assert record and (record.ended, record.worst_code, record.began) == (2, 326, 2)
    assert found and (found.spec, found.state, found.host, found.driver, found.version, found.boot) == (
        node(),
        NodeState.UP,
        "host2",
        "v2",
        "2",
        "boot-2",
    )
    assert world.store.node("n9") is None


def test_losing_a_node(world: World) -> None:
    job, store = world.submit(2), world.store
    world.start(job, 0, 1)
    store.cancel(job, "0", 0)
    assert store.lose(world.fence, "n1", 'quiet "\udc80') == [job, job + 1]
    found = store.nodes()[0]
    assert (found.state, found.epoch, found.reason) == (NodeState.DOWN, world.epoch + 1, 'quiet "\udc80')
    assert store.lose(world.fence, "n1", "again") == [] and store.lose(world.fence, "nx", "") == []
    assert store.nodes() == [found]
    assert {(e.state, e.code) for e in store.elements([job, job + 1])} == {(State.FAILED, 326)}
    with pytest.raises(StaleFence):
        store.heartbeat("n1", world.epoch, 1)
    back = store.register(node(), "host", "none", "1", "boot-1")
    assert back == (world.epoch + 1, []) and store.heartbeat("n1", back.epoch, 0)[1:] == ([], [], [])


def test_a_drain_outlasts_loss_and_return(world: World) -> None:
    store = world.store
    store.set_node("n1", NodeState.DRAIN, "bad fan")
    store.lose(world.fence, "n1", "quiet")
    store.register(node(), "host", "none", "1", "boot-1")
    assert [(n.state, n.reason) for n in store.nodes()] == [(NodeState.DRAIN, "bad fan")]
    store.set_node("n1", NodeState.UP, "")
    store.set_node("n1", NodeState.DOWN, "cable")
    store.heartbeat("n1", world.epoch + 1, 0)
    assert [(n.state, n.reason) for n in store.nodes()] == [(NodeState.DOWN, "cable")]
    store.set_node("n1", NodeState.UP, "")
    assert [(n.state, n.reason) for n in store.nodes()] == [(NodeState.UP, "")]
    with pytest.raises(NotFound):
        store.set_node("n9", NodeState.UP, "")


# --- leader, window, events


def test_leading(store: Store) -> None:
    with pytest.raises(StaleFence):
        store.start(0, [])
    assert store.lead("a", 60) == 1 and store.lead("a", 60) == 1 and store.lead("b", 60) == 0
    store.resign("b")
    assert store.lead("b", 60) == 0
    store.resign("a")
    store.resign("a")
    assert store.lead("b", 60) == 2


def test_a_plan_is_noted_by_who_leads(store: Store) -> None:
    fence = store.lead("a", 60)
    assert store.noted_plan() == ""
    store.note_plan(fence, '[[1,0,"main"]]')
    assert store.noted_plan() == '[[1,0,"main"]]'
    assert [event.kind for event in store.events("0", 0, 10)][-1] == "plan"
    store.resign("a")
    newer = store.lead("b", 60)
    with pytest.raises(StaleFence):
        store.note_plan(fence, "")
    assert store.noted_plan() == '[[1,0,"main"]]'
    store.note_plan(newer, "")
    assert store.noted_plan() == ""


def test_a_snapshot_and_what_follows(world: World) -> None:
    job = world.submit(3)
    world.start(job, 0)
    shot = world.store.snapshot()
    assert shot.seq == world.store.last_event()
    assert [j.id for j in shot.jobs] == [job] and [e.id for e in shot.elements] == [job] and len(shot.nodes) == 1
    world.begin(job)
    assert [e.kind for e in world.store.events(shot.seq, 0, 10)] == ["begin"]


def test_forgetting_waits_for_the_recorder(world: World) -> None:
    store, one = world.store, world.submit(3)
    two, three = world.submit(), world.submit()
    store.cancel(one, "1-2", 0)
    world.run(one)
    filed = store.last_event()
    world.run(two)
    assert store.forget(world.fence, store.now() + 1, 10).jobs == 0
    store.set_cursor("recorder", filed)
    assert store.forget(world.fence, 1.0, 10).jobs == 0
    assert store.forget(world.fence, store.now() + 1, 10).jobs == 1
    assert (
        store.job(one) is None
        and store.elements([one]) == []
        and store.body(one) is None
        and store.find(one + 1) is None
    )
    assert store.known(one) and store.ended_bits(one, 3) == (3, 1)
    assert [j.id for j in store.jobs([two, three])] == [two, three]


def test_cursors_and_trimming(world: World) -> None:
    store = world.store
    for _ in range(3):
        world.submit()
    seqs = list(dict.fromkeys(event.seq for event in store.events("0", 0, 100)))
    assert store.trim() == 0 and store.cursor("recorder") == "0"
    store.set_cursor("recorder", seqs[3])
    store.set_cursor("recorder", seqs[1])
    assert store.cursor("recorder") == seqs[3] and store.trim() == 0
    store.set_cursor("leader", seqs[2])
    assert store.trim() == 2 and store.first_event() == seqs[2] and store.last_event() == seqs[-1]
    store.set_cursor("other", "0")
    store.set_cursor("leader", seqs[4])
    assert store.trim() == 0


def test_events_come_in_order_and_whole(world: World) -> None:
    store = world.store
    for _ in range(5):
        world.submit()
    everything = store.events("0", 0, 100)
    by_two, after = [], "0"
    while some := store.events(after, 0, 2):
        by_two, after = by_two + some, some[-1].seq
    assert by_two == everything and store.events("$", 0, 10) == []
    assert store.last_event() == everything[-1].seq and store.first_event() == everything[0].seq


def test_a_step_s_stop_is_told_to_the_leader(world: World) -> None:
    after = world.store.last_event()
    world.store.stop_step(7, 1, "n1", 0, 2)
    found = world.store.events(after, 0, 10)
    assert [(event.kind, event.data) for event in found] == [("kill_step", {"rows": [[7, 1, "n1", 0, 2]]})]


def test_a_waiting_reader_is_woken(world: World) -> None:
    after, found = world.store.last_event(), []
    reader = threading.Thread(target=lambda: found.extend(world.store.events(after, 30, 10)))
    reader.start()
    world.store.nudge("n1")
    reader.join(30)
    assert [(event.kind, event.data) for event in found] == [("nudge", {"node": "n1"})]


def test_replay_gives_the_records(world: World) -> None:
    store = world.store
    array, plain = world.submit(10), world.submit(held=True)
    after = world.submit(dep=needs("afterok", array, array, 10))
    world.start(array, 0, 1, 2, 5)
    world.begin(array, array + 1)
    world.end(array, array + 2, state="Failed", code=3)
    store.hold(array, "3-4", True)
    store.cancel(array, "1-3", 0)
    answer(world)
    store.hold(plain, "", False)
    world.run(plain)
    store.lose(world.fence, "n1", "gone")
    again = replay(store.events("0", 0, 1000))
    assert list(again.jobs.values()) == store.jobs([array, plain, after])
    assert sorted(again.elements.values(), key=lambda e: e.id) == store.elements(range(1, 100))
    assert again.nodes["n1"] == store.node("n1") and again.fence == world.fence


def test_ping_and_close(store: Store) -> None:
    assert store.ping() >= 0
    store.close()
    assert store.ping() >= 0


def test_who_waits_for_a_consumer_hears_when_it_has_passed(world: World) -> None:
    """No polling: the wait ends with the cursor's move, and is over before it where the cursor is there already."""
    store = world.store
    world.submit()
    first = store.last_event()
    world.submit()
    last = store.last_event()
    assert not store.passed("recorder", first, 0.0)
    store.set_cursor("recorder", "0-0")
    store.set_cursor("recorder", first)
    assert store.passed("recorder", first, 0.0) and not store.passed("recorder", last, 0.0)
    waiting, heard = threading.Event(), list[bool]()

    def wait() -> None:
        waiting.set()
        heard.append(store.passed("recorder", last, 60.0))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(30)
    store.set_cursor("recorder", last)
    thread.join(30)
    assert heard == [True]
