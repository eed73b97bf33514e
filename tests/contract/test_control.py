"""The verbs of control on both stores: running again, changing, ending what is left, and what nodes are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from crane_celery.errors import NotFound, StaleFence
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import replay
from crane_celery.lifecycle.requeue import follows
from crane_celery.model import tagged
from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.job import WAITING, Job
from crane_celery.model.node import NodeState
from crane_celery.model.states import NODE_DOWN, State
from crane_celery.model.tagged import number_of
from crane_celery.sched.snapshot import view_of
from crane_celery.store.api import Answer, Began, Ended, Moved, Report, Requeue, Store, Submission
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, needs, node, spec
from tests.support.server import Server
from tests.support.slow import Slow


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def record(world: World, job: int) -> Job:
    """A submission that is there."""
    found = world.store.job(job)
    assert found
    return found


def agreed(world: World) -> bool:
    """Return whether a replay of the events gives the records."""
    again = replay(world.store.events("0", 0, 100_000))
    ids = sorted(again.jobs)
    return [again.jobs[i] for i in ids] == world.store.jobs(ids)


@pytest.mark.parametrize("policy", ["never", "node", "failure"])
@pytest.mark.parametrize("then", ["", "requeue", "hold", "cancel"])
@pytest.mark.parametrize("kind", ["Batch", "Interactive"])
def test_what_follows_an_end_is_one_table(world: World, policy: str, then: str, kind: str) -> None:
    """reference/cranesched.md section 9, in Python and in Lua, for every end and for runs at the limit."""
    asked = replace(spec(requeue=policy), kind=kind)
    ends = [("Completed", 0), ("Failed", 1), ("Failed", 326), ("Failed", 328), ("Cancelled", 320), ("OutOfMemory", 265)]
    ends += [("ExceedTimeLimit", 325), ("Deadline", 330)]
    for state, code in ends:
        [job] = world.store.submit([Submission(asked, 1, b"")], [""])
        run = 0
        while record(world, job).pending and run < 4:
            run += 1
            world.store.hold(job, "", False)
            assert world.start(job, run=run) == [""]
            if then == "cancel":
                world.store.cancel(job, "", 0)
            elif then:
                world.store.requeue(job, "", Requeue(then == "hold"))
            expected = follows(asked, world.store.elements([job])[0], State(state), code)
            world.end(job, state=state, code=code, run=run)
            after = record(world, job)
            assert (after.pending, after.held) == {"": ("", ""), "requeue": ("0", ""), "hold": ("0", "0")}[expected]
        world.store.cancel(job, "", 0)
    assert agreed(world)


def test_what_was_requeued_too_often_is_held(world: World) -> None:
    job = world.submit(requeue="failure")
    for run in (1, 2, 3):
        assert record(world, job).held == ""
        world.start(job, run=run)
        world.end(job, state="Failed", code=1, run=run)
    assert (record(world, job).pending, record(world, job).held, record(world, job).again) == ("0", "0", '[["0",3]]')


def test_dependants_are_judged_at_the_end_of_the_last_run(world: World) -> None:
    job = world.submit(requeue="failure")
    waits = {kind: world.submit(dep=needs(kind, job)) for kind in ("after", "afterok", "afternotok", "afterany")}
    judged(world)
    world.start(job)
    world.begin(job)
    assert judged(world) and {k for k, id_ in waits.items() if record(world, id_).ready == WAITING} == {
        "afterok", "afternotok", "afterany",
    }  # fmt: skip
    world.end(job, state="Failed", code=1)
    assert not judged(world) and record(world, job).began == 1
    world.start(job, run=2)
    world.begin(job, run=2)
    world.end(job, run=2)
    judged(world)
    assert record(world, waits["afterok"]).ready >= 0 and record(world, waits["afterany"]).ready >= 0
    assert record(world, waits["afternotok"]).ready == -2.0
    assert (record(world, job).began, record(world, job).ended, record(world, job).ok) == (1, 1, 1)


def judged(world: World) -> bool:
    """Answer what is asked; whether anything was."""
    asked = world.store.questions(world.fence, 100)
    verdicts = [(q.job, *judge(decode(q.dep), dict(q.facts))) for q in asked]
    world.store.judge(world.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])
    return any(record(world, q.job).ready != WAITING for q in asked)


def test_so_many_failures_end_the_rest_of_an_array(world: World) -> None:
    asked = replace(spec("0-9"), max_fails=2)
    [array] = world.store.submit([Submission(asked, 10, b"")], [""])
    world.start(array, 0, 1, 2, 3)
    world.end(array, state="Failed", code=1)
    world.end(array + 1)
    assert record(world, array).pending == "4-9"
    world.end(array + 2, state="Failed", code=1)
    after = record(world, array)
    assert (after.pending, after.ended, after.gone) == ("", 9, 6) and not after.ended_at
    world.end(array + 3)  # what runs already runs to its end
    assert record(world, array).ended_at and world.store.ended_bits(array, 10) == (10, 2) and agreed(world)


def test_cancelled_elements_are_no_failures(world: World) -> None:
    [array] = world.store.submit([Submission(replace(spec("0-9"), max_fails=1), 10, b"")], [""])
    world.start(array, 0)
    world.store.cancel(array, "0", 0)
    world.end(array, state="Cancelled", code=320)
    assert record(world, array).pending == "1-9"
    world.store.update(array, "", {"max_fails": 0})
    world.start(array, 1)
    world.end(array + 1, state="Failed", code=1)
    assert record(world, array).pending == "2-9"


def test_a_throttle_is_exact_whatever_the_leader_believes(world: World) -> None:
    array = world.submit(4, throttle=1)
    assert world.start(array, 0, 1) == ["", "as many as its limit run"]
    world.store.update(array, "", {"throttle": 3})
    assert world.start(array, 1, 2, 3) == ["", "", "as many as its limit run"]
    world.store.update(array, "", {"throttle": 0})
    assert world.start(array, 3) == [""]


def test_another_dependency(world: World) -> None:
    one, two = world.submit(), world.submit()
    waits = world.submit(dep=needs("afterok", one))
    judged(world)
    assert world.store.depend(waits, f"afterok:{two}", needs("afterok", two))
    assert record(world, waits).ready == WAITING and agreed(world)
    world.run(one)
    assert not judged(world)
    world.run(two)
    assert judged(world) and world.start(waits) == [""]
    assert not world.store.depend(waits, "", "") and not world.store.depend(one, "", "")


def test_a_dependency_can_be_taken_away_and_be_wrong(world: World) -> None:
    one = world.submit()
    waits = world.submit(dep=needs("afterok", one))
    before = record(world, waits)
    for job, dep in ((waits, needs("afterok", 99)), (99, "")):
        with pytest.raises(NotFound):
            world.store.depend(job, "x", dep)
    assert record(world, waits) == before
    assert world.store.depend(waits, "", "") and world.start(waits) == [""] and agreed(world)


def test_an_ended_job_runs_again(world: World) -> None:
    job = world.submit()
    world.run(job, "Failed", 3)
    waits = world.submit(dep=needs("afterok", job))
    assert world.store.requeue(job, "").ended == 1
    after = record(world, job)
    assert (after.pending, after.ended, after.worst_code, after.worst_state, after.ended_at) == ("0", 0, 0, None, 0.0)
    assert [found.id for found in world.store.jobs()] == [job, waits]
    assert world.start(job) == ["run 1 is over"] and world.start(job, run=2) == [""]
    world.begin(job, run=2)
    world.end(job, run=2)
    assert world.store.ended_bits(job, 1) == (1, 1) and record(world, job).began == 1
    assert judged(world) and world.start(waits) == [""] and agreed(world)


def test_a_node_taken_down_stays_down_until_it_is_resumed(world: World) -> None:
    store, job = world.store, world.submit()
    store.set_node("n1", NodeState.DOWN, "broken")
    store.heartbeat("n1", world.epoch, 60)
    store.register(node(), "host", "none", "1", "boot-1")
    found = store.node("n1")
    assert found and (found.state, found.reason) == (NodeState.DOWN, "broken")
    assert world.start(job) == ["node n1 is down"]
    store.set_node("n1", NodeState.UP, "")
    assert world.start(job) == [""]


def test_only_the_leader_expires(world: World) -> None:
    array = world.submit(5)
    with pytest.raises(StaleFence):
        world.store.expire(world.fence - 1, array, "", "Deadline", 330, "late")
    assert world.store.expire(world.fence, array, "1-2", "Deadline", 330, "late") == 2
    after = record(world, array)
    assert (after.pending, after.worst_state, after.worst_code) == ("0,3-4", State.DEADLINE, 330)
    assert world.store.expire(world.fence, array, "1-2", "Deadline", 330, "late") == 0


def test_a_snapshot_is_brought_up_to_date_whatever_happened_while_it_was_read(server: Server) -> None:
    """Each read of it sees a later moment than the one before."""
    world = World(store := RedisStore(server.url, "{between}"))
    array = world.submit(3, requeue="failure")
    world.start(array, 0, 1, 2)

    class Between(RedisStore):
        """Things happen between the reads."""

        def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
            world.end(array, state="Failed", code=1)
            world.end(array + 1)
            return store.jobs(ids)

    slow = Between(server.url, "{between}")
    shot = slow.snapshot()
    view = view_of({}, shot.now, shot.jobs, shot.elements, shot.nodes)
    for event in store.events(shot.seq, 0, 100):
        view.apply(event)
    slow.close()
    store.close()
    assert view.entries[array].pending.text == "0" and list(view.runs) == [array + 2]
    assert view.entries[array].next_run(0) == 2


def test_a_large_array_runs_again_in_short_steps(server: Server, redis_store: RedisStore) -> None:
    """Every other element of a part of it: no script takes 50 ms, as the server itself measures."""
    world = World(redis_store)
    array = world.submit(100_000)
    slow = Slow(server, redis_store)
    for low in range(0, 4_000, 400):
        ranks = range(low, low + 400, 2)
        assert set(world.start(array, *ranks)) == {""}
        world.end(*(array + rank for rank in ranks), state="Failed", code=1)
        slow.look()
    assert redis_store.requeue(array, "").ended == 2_000
    assert record(world, array).pending == "0-99999"
    [(again, run)] = tagged.decode(record(world, array).again)
    assert (again, run) == (RangeSet.stride(0, 3_998, 2), 1)
    slow.look()
    assert slow.found == []


def test_what_was_cancelled_while_it_waited_to_run_again_is_counted_once(world: World) -> None:
    """Its last run was a success, but its end was the cancel: taking that back takes back no success."""
    job = world.submit(2)
    world.start(job, 0)
    world.begin(job)
    world.end(job)
    world.store.requeue(job, "0")
    world.store.cancel(job, "0", 7)
    assert world.store.requeue(job, "0").ended == 1
    after = record(world, job)
    assert (after.pending, after.ended, after.ok, after.gone) == ("0-1", 0, 0, 0)
    assert world.store.ended_bits(job, 2) == (0, 0)
    assert number_of(after.again, 0) == 1


def test_only_what_is_suspended_or_about_to_be_goes_on(world: World) -> None:
    job = world.submit(1)
    world.start(job, 0)
    world.begin(job)
    go_on, store = {"suspend": 0.0}, world.store
    assert not store.order(job, 1, go_on)
    assert [event.kind for event in store.events("0", 0, 100)].count("order") == 0
    assert store.order(job, 1, {"suspend": 0.0, "limit": 9.0})
    assert store.order(job, 1, {"suspend": 1.0}) and store.order(job, 1, go_on) and not store.order(job, 1, go_on)
    assert store.order(job, 1, {"suspend": 1.0})
    store.report("n1", world.epoch, Report(moved=[Moved(job, 1, "Suspended", store.now())]))
    assert store.order(job, 1, go_on) and store.order(job, 1, go_on)
    assert agreed(world)


def test_events_say_who_asked(world: World) -> None:
    array, first, store = world.submit(3), world.submit(1), world.store
    world.start(array, 0, 1)
    world.begin(array, array + 1)
    world.end(array + 1)
    start = store.last_event()
    store.hold(array, "2", True, uid=7)
    store.hold(array, "", False, uid=8)
    store.update(array, "2", {"comment": "x"}, 9)
    store.depend(array, "afterany:4", needs("afterany", first), 10)
    store.order(array, 1, {"suspend": 1.0}, 11)
    store.report("n1", world.epoch, Report(moved=[Moved(array, 1, "Suspended", store.now())]))
    store.order(array, 1, {"suspend": 0.0}, 12)
    store.order(array, 1, {"limit": 9.0}, 13)
    store.report("n1", world.epoch, Report(moved=[Moved(array, 1, "Running", store.now())]))
    store.requeue(array, "", uid=14)
    told = [(each.kind, each.data) for each in store.events(start, 0, 100) if each.kind != "order"]
    who = [(kind, data["rows"][0][5] if kind == "move" else data["uid"]) for kind, data in told]
    assert who == [
        *(("hold", 7), ("release", 8), ("update", 9), ("depend", 10)),
        *(("move", 11), ("move", 12), ("kill", 14), ("revive", 14)),
    ]
    assert agreed(world)


def test_what_nobody_asked_for_names_nobody(world: World) -> None:
    job, store = world.submit(2), world.store
    world.start(job, 0)
    world.begin(job)
    store.hold(job, "1", True)
    store.hold(job, "1", False)
    store.update(job, "", {"comment": "x"})
    store.order(job, 1, {"suspend": 1.0})
    store.report("n1", world.epoch, Report(moved=[Moved(job, 1, "Suspended", store.now())]))
    store.requeue(job, "0")
    events = store.events("0", 0, 100)
    assert not any("uid" in each.data for each in events)
    assert [len(each.data["rows"][0]) for each in events if each.kind == "move"] == [5]


def test_a_release_sets_no_time(world: World) -> None:
    [job] = world.store.submit([Submission(spec("0-5"), 6, b"")], [""])
    world.store.hold(job, "0-3", True, 9e9)
    world.store.hold(job, "1", False, 5.25)
    assert (record(world, job).held, record(world, job).until) == ("0,2-3", '[["0,2-3",9000000000]]')
    assert agreed(world)


def test_an_unknown_node_is_looked_for_where_nodes_are(store: Store) -> None:
    with pytest.raises(NotFound, match="no node nx; see cinfo"):
        store.set_node("nx", NodeState.DRAIN, "broken")


def test_an_element_that_begins_and_is_cancelled_in_one_report_has_begun_once(store: Store) -> None:
    world = World(store)
    asked = spec("0-3", requeue="node", max_fails=1)
    [array] = store.submit([Submission(asked, 4, b"")], [""])
    world.submit(dep=needs("after", array, count=4))
    world.start(array, 0, 1)
    now = store.now()
    ended = [Ended(array, 1, "Failed", NODE_DOWN, now, now), Ended(array + 1, 1, "Failed", 3, now, now)]
    store.report("n1", world.epoch, Report([Began(array, 1, now), Began(array + 1, 1, now)], ended))
    [question] = store.questions(world.fence, 10)
    [(_, facts)] = question.facts
    assert (facts.began, facts.ended) == (4, 4)


def test_a_run_that_is_given_back_between_two_portions_of_a_cancel_is_cancelled(redis_store: RedisStore) -> None:
    world, count = World(redis_store), 2_500
    array = world.submit(count, requeue="node")
    world.start(array, *range(count))
    whole = (array, "", 1000, 0)
    _, go_on, *_ = redis_store.link.run("cancel", *whole, 0)
    world.end(array + count - 1, state="Failed", code=NODE_DOWN)
    assert go_on == 2_000
    ended, go_on, _, *told = redis_store.link.run("cancel", *whole, go_on)
    assert (ended, go_on, len(told)) == (1, -1, 499)
    assert world.store.job(array).pending == ""
