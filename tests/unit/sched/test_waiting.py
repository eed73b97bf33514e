"""Singletons by name, what can never start, and everything that is lost with it."""

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import Block, Facts, Resolved, encode
from crane_celery.model.job import NEVER, WAITING, Job
from crane_celery.model.overrides import update_of
from crane_celery.sched.closure import Waiter, downstream
from crane_celery.sched.view import View
from tests.unit.sched.cases import event, job, plan, view

ONE = RangeSet.span(0, 0)
SINGLE = Block("singleton", 0, 0, 0, 0, "singleton")
FACTS = Facts(0, 0, 0, 0.0)


def dep(*blocks: Block, any_of: bool = False) -> str:
    """A clause for each block."""
    return encode(Resolved(any_of, tuple((block,) for block in blocks)))


def on(kind: str, job_id: int, fired_at: float = 0.0) -> Block:
    """A block on a plain job."""
    return Block(kind, job_id, job_id, 1, 0, f"{kind}:{job_id}", fired_at)


def test_a_singleton_gets_its_turn_when_the_earlier_ones_are_over() -> None:
    seen = view([job(10), job(11, dep=dep(SINGLE), ready=WAITING), job(12, dep=dep(SINGLE), ready=WAITING)])
    assert seen.waits.turn == set()
    assert [seen.waits.facts(id_, FACTS).ok for id_ in (10, 11, 12, 99)] == [1, 0, 0, 0]
    seen.apply(event("cancel", job=10, ranks="0", uid=1, done=True))
    assert seen.waits.turn == {11} and seen.waits.facts(11, FACTS).ok == 1
    assert seen.waits.facts(12, FACTS).ok == 0


def rename(seen: View, made: Job, name: str, ranks: str = "0") -> None:
    """Change the name of these ranks of a submission."""
    known = seen.entries[made.id].job
    seen.apply(event("update", **update_of(known, ranks, {"name": name})))


def test_a_singleton_goes_by_the_name_in_force() -> None:
    first, second = job(10), job(11, dep=dep(SINGLE), ready=WAITING)
    third = job(12, dep=dep(SINGLE), ready=WAITING, name="k")
    seen = view([first, second, third])
    assert seen.waits.turn == {12}
    seen.waits.turn.clear()
    rename(seen, third, "j")
    assert seen.waits.turn == set() and seen.waits.facts(12, FACTS).ok == 0
    rename(seen, first, "k")
    assert seen.waits.turn == {11} and seen.waits.facts(11, FACTS).ok == 1
    seen.waits.turn.clear()
    rename(seen, second, "l")
    assert seen.waits.turn == {11, 12} and seen.waits.facts(12, FACTS).ok == 1
    rename(seen, third, "k")
    assert seen.waits.facts(12, FACTS).ok == 0
    seen.apply(event("cancel", job=10, ranks="0", uid=1, done=True))
    assert seen.waits.facts(12, FACTS).ok == 1


def test_an_array_of_two_names_is_among_both() -> None:
    array = job(10, count=4)
    seen = view([array, *(job(20 + n, dep=dep(SINGLE), ready=WAITING, name=name) for n, name in enumerate("jkl"))])
    rename(seen, array, "k", "1-2")
    assert [seen.waits.facts(id_, FACTS).ok for id_ in (20, 21, 22)] == [0, 0, 1]
    rename(seen, array, "k", "0,3")
    assert [seen.waits.facts(id_, FACTS).ok for id_ in (20, 21, 22)] == [1, 0, 1]
    assert 20 in seen.waits.turn


def test_a_chain_of_any_length_is_lost_with_its_root() -> None:
    links = [Waiter(n, dep(on("afterok", n - 1)), ONE, 1) for n in range(2, 5000)]
    assert set(downstream({1: ONE}, links)) == set(range(1, 5000))


def test_what_a_cancel_does_not_rule_out() -> None:
    waiters = [
        *(Waiter(10 + n, dep(on(kind, 1)), ONE, 1) for n, kind in enumerate(("after", "afterany", "afternotok"))),
        Waiter(20, dep(on("afterok", 1), on("afterok", 2), any_of=True), ONE, 1),
        Waiter(21, dep(on("afterok", 1), on("afterok", 2, -1.0), any_of=True), ONE, 1),
        Waiter(22, dep(on("afterok", 1, 5.0)), ONE, 1),
        Waiter(23, dep(on("afterexcept", 1)), ONE, 1),
    ]
    assert set(downstream({1: ONE}, waiters)) == {1, 21, 23}


def test_elements_are_lost_by_themselves() -> None:
    corr = Block("aftercorr", 1, 1, 3, 0, "aftercorr:1_*")
    waiters = [
        Waiter(10, dep(corr), RangeSet.span(0, 2), 3),
        Waiter(20, dep(Block("afterok", 10, 11, 2, 0, "")), ONE, 1),
    ]
    assert downstream({1: ONE}, waiters) == {1: ONE, 10: ONE}
    assert downstream({1: RangeSet.span(2, 2)}, waiters)[20] == ONE


def test_the_grace_counts_from_the_verdict() -> None:
    seen = view([job(10, dep=dep(on("afterok", 1)), ready=WAITING), job(11, dep=dep(on("afterok", 10)), ready=WAITING)])
    seen.apply(event("judge", rows=[[10, NEVER]], deps=[dep(on("afterok", 1, -1.0))], gates=[["", ""]]))
    at = seen.waits.next_doom
    assert at is not None and seen.waits.lost(seen.waits.hopeless(at - 1)) == {}
    assert seen.waits.lost(seen.waits.hopeless(at)) == {10: ONE, 11: ONE} and seen.waits.next_doom is None


def test_elements_start_as_those_of_their_index_complete() -> None:
    corr = dep(Block("aftercorr", 1, 1, 3, 0, "aftercorr:1_*"))
    seen = view([job(10, count=3, dep=corr, ready=WAITING)])
    seen.apply(event("judge", rows=[[10, 0.5]], deps=[corr], gates=[["0", "2"]]))
    assert [start.rank for start in plan(seen).starts] == [1]
    seen.apply(event("judge", rows=[[10, 0.5]], deps=[corr], gates=[["", "2"]]))
    assert [start.rank for start in plan(seen).starts] == [0, 1]
