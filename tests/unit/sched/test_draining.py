"""Nodes are drained towards jobs for which no start is known: which, for whom, how long, and when they are given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crane_celery.model.job import Job
from crane_celery.model.node import NodeState
from crane_celery.model.overrides import update_of
from crane_celery.model.weights import Draining, Priority
from crane_celery.sched.cycle import schedule
from crane_celery.sched.draining import Drain
from crane_celery.sched.noted import Noted, decode, encode, noted
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.view import View
from tests.unit.sched.cases import end_event, event, ids, job, node, node_event, submit, view

_NOW = Draining(patience=0)


class Case:
    """A cluster whose nodes are full of runs of one CPU without a time limit, and its leader."""

    def __init__(self, nodes: int = 3, cpus: int = 2, draining: Draining = _NOW, **more: Any) -> None:
        self.nodes = [node(f"n{n}", cpus=cpus) for n in range(nodes)]
        self.seen: View = view([], self.nodes)
        self.config = Config(draining=draining, ranking=Ranking(Priority(kind="basic")))
        self.now = 100.0
        self.last: Plan | None = None
        self.submit(job(1000, count=nodes * cpus, **{"uid": 99} | more))
        self.begun: list[int] = ids(self.plan())

    def submit(self, *jobs: Job) -> None:
        for each in jobs:
            self.seen.apply(submit(each))

    def plan(self, now: float = 0.0) -> Plan:
        self.now = max(self.now, now)
        self.seen.advance(self.now)
        last = None if self.seen.unsettled else self.last
        made = schedule(self.seen, self.now, self.config, last, self.last.drains if self.last else ())
        self.seen.unsettled, self.last = False, made
        self.seen.pool.freed.clear()
        self.seen.started(made.starts)
        for start in made.starts:
            self.seen.apply(event("begin", node="n1", rows=[[start.job + start.rank, start.job, start.run, self.now]]))
        return made

    def end(self, *ids: int) -> None:
        for id in ids:
            self.seen.apply(end_event(id, 1000 if 1000 <= id < 2000 else id))

    def on(self, node: str) -> list[int]:
        """Return what runs on a node."""
        return [run.id for run in self.seen.runs.values() if run.node == node]

    def drained(self) -> dict[int, list[str]]:
        """Nodes by job."""
        assert self.last is not None
        return {drain.job: list(drain.nodes) for drain in self.last.drains if drain.nodes}


def test_a_job_that_needs_two_ends_on_one_node_gets_them() -> None:
    case = Case()
    case.submit(job(1, cpus_per_task=2), job(2, count=50))
    case.plan()
    (drained,) = case.drained()[1]
    case.end(*[case.on(name)[0] for name in ("n0", "n1", "n2")])
    assert len(ids(case.plan())) == 2 and case.drained() == {1: [drained]}
    case.end(*case.on(drained))
    assert ids(case.plan())[0] == 1


def test_nodes_do_not_change_when_others_look_better() -> None:
    case = Case()
    case.submit(job(1, cpus_per_task=2))
    case.plan()
    (drained,) = case.drained()[1]
    other = next(name for name in ("n0", "n1", "n2") if name != drained)
    case.submit(job(2, count=50))
    for now in (110.0, 120.0, 130.0):
        case.end(case.on(other)[0])
        case.plan(now)
        assert case.drained()[1] == [drained]


def test_the_next_leader_goes_on_with_the_same_nodes() -> None:
    case = Case()
    case.submit(job(1, cpus_per_task=2))
    made = case.plan()
    assert decode(encode(noted(made))).drains == made.drains and encode(Noted()) == ""
    for text in ('{"a":1}', "[1]", "no", '{"why":[1]}'):
        assert not decode(text).drains and not decode(text).reasons
    again = schedule(case.seen, 130.0, case.config, None, decode(encode(noted(made))).drains)
    assert again.drains == made.drains


def test_a_choice_that_was_in_vain_is_made_again_after_longer_and_longer() -> None:
    case = Case(nodes=2)
    case.submit(job(1, cpus_per_task=2))
    case.plan()
    (first,) = case.drained()[1]
    other = "n1" if first == "n0" else "n0"
    case.submit(job(2, count=2))
    case.end(case.on(other)[0])
    case.plan(155.0)
    case.submit(job(5, count=9))
    case.plan(159.0)
    assert case.drained()[1] == [first]
    case.end(case.on(other)[0])
    case.plan(161.0)
    assert case.drained()[1] == [other]
    assert case.last is not None and case.last.drains[0].tries == 1 and case.last.drains[0].over >= 281.0


def test_a_job_may_be_overtaken_for_as_long_as_draining_is_expected_to_take() -> None:
    case = Case(draining=Draining())
    case.plan(130.0)
    case.submit(job(1, cpus_per_task=2), job(2, count=50))
    case.plan(130.0)
    assert not case.drained() and case.last and [drain.job for drain in case.last.drains][:1] == [1]
    case.end(case.on("n0")[0])
    assert ids(case.plan(140.0)) == [2]
    case.end(case.on("n1")[0])
    case.plan(200.0)
    assert list(case.drained()) == [1]


def test_what_is_over_before_the_expected_start_may_use_the_node() -> None:
    case = Case(nodes=1, cpus=2)
    case.plan(160.0)
    case.submit(job(1, cpus_per_task=2))
    case.plan(160.0)  # expected to go on for another 60 s
    case.submit(job(2, time_limit=50), job(3, time_limit=70))
    case.end(1000)
    assert ids(case.plan(165.0)) == [2]


def test_what_fits_beside_starts() -> None:
    case = Case(nodes=1, cpus=4)
    case.submit(job(1, cpus_per_task=2))
    case.plan()
    case.submit(job(2, count=9))
    case.end(1000, 1001)
    assert ids(case.plan()) == [1]
    case.end(1002)
    assert ids(case.plan()) == [2]


def test_what_no_longer_waits_gives_its_node_up_at_once() -> None:
    for verb in ("hold", "cancel"):
        case = Case(nodes=1, cpus=2)
        case.submit(job(1, cpus_per_task=2), job(2))
        case.plan()
        case.end(1000)
        assert ids(case.plan()) == []
        case.seen.take_todo()
        case.seen.apply(event(verb, job=1, ranks="0"))
        assert case.seen.todo.plan and ids(case.plan()) == [2] and not case.drained()


def test_a_smaller_request_starts_and_a_node_that_is_lost_is_replaced() -> None:
    case = Case(nodes=2, cpus=2)
    case.submit(job(1, cpus_per_task=2))
    case.plan()
    (first,) = case.drained()[1]
    case.seen.take_todo()
    lost = next(each for each in case.nodes if each.spec.name == first)
    case.seen.apply(node_event(replace(lost, state=NodeState.DRAIN)))
    assert case.seen.todo.plan
    case.plan()
    assert case.drained()[1] == ["n1" if first == "n0" else "n0"]
    known = case.seen.entries[1].job
    case.seen.apply(event("update", **update_of(known, "0", {"cpus_per_task": 1})))
    case.end(case.on(case.drained()[1][0])[0])
    assert ids(case.plan()) == [1]


def test_several_nodes_and_those_that_get_free_elsewhere() -> None:
    case = Case(nodes=4, cpus=1)
    case.submit(job(1, nodes=2, ntasks=2))
    case.plan()
    drained = case.drained()[1]
    others = [name for name in ("n0", "n1", "n2", "n3") if name not in drained]
    case.submit(job(5, count=9, uid=2))
    case.end(*case.on(others[0]))
    assert ids(case.plan()) == [] and others[0] in case.drained()[1]
    case.end(*case.on(others[1]))
    assert ids(case.plan()) == [1]


def test_few_at_a_time_and_an_array_counts_as_one() -> None:
    case = Case(nodes=12, cpus=2, draining=Draining(jobs=2, share=50, patience=0))
    case.submit(job(10, count=50, cpus_per_task=2), *[job(id, cpus_per_task=2, uid=id) for id in (101, 102, 103)])
    case.plan()
    assert list(case.drained()) == [10, 101]
    case = Case(nodes=12, cpus=2, draining=Draining(jobs=8, share=25, patience=0))
    case.submit(*[job(id, cpus_per_task=2, uid=id) for id in range(101, 112)])
    case.plan()
    assert list(case.drained()) == [101, 102, 103]
    case = Case(nodes=4, cpus=2, draining=Draining(jobs=8, share=25, patience=0))
    case.submit(job(1, nodes=3, ntasks=3, cpus_per_task=2), job(2, cpus_per_task=2, uid=7))
    case.plan()
    assert {id: len(nodes) for id, nodes in case.drained().items()} == {1: 3}


def test_one_more_has_its_turn_where_the_first_wait_in_vain() -> None:
    case = Case(nodes=3, cpus=2, draining=Draining(jobs=1, patience=0))
    case.submit(
        job(1, cpus_per_task=2, nodelist=("n0",)), job(2, cpus_per_task=2, uid=2), job(3, cpus_per_task=2, uid=3)
    )
    case.plan()
    assert case.drained() == {1: ["n0"]}
    case.submit(job(4, count=50, uid=4))
    case.end(case.on("n1")[0])
    case.plan(170.0)
    assert list(case.drained()) == [1, 2]
    (turn,) = case.drained()[2]
    case.end(*case.on("n1" if turn == "n2" else "n2")[:1])
    case.plan(180.0)
    assert list(case.drained()) == [1, 2]
    case.end(*case.on(turn))
    assert 2 in ids(case.plan(190.0))
    assert list(case.drained()) == [1]  # for 3 there is nothing to gather: the end of 2 will do
    case.end(2)
    assert ids(case.plan(191.0))[0] == 3


def test_long_runs_are_not_waited_for_where_short_ones_are() -> None:
    case = Case(nodes=2, cpus=2)
    case.end(*case.on("n1"))
    case.submit(job(5000, count=2))
    case.plan(4000.0)
    case.submit(job(1, cpus_per_task=2))
    case.plan(4000.0)
    assert case.drained()[1] == ["n1"]


def test_an_equal_that_goes_first_takes_nothing_of_what_was_waited_for() -> None:
    case = Case(nodes=1, cpus=3, uid=1)
    case.submit(job(1, cpus_per_task=2, uid=1), job(2, count=50, uid=2))
    case.plan()
    assert list(case.drained()) == [2] or case.drained() == {1: ["n0"]}
    for _ in range(8):
        if 1 in [run.job for run in case.seen.runs.values()]:
            break
        case.end(next(iter(case.seen.runs)))
        case.plan(case.now + 1)
    assert 1 in [run.job for run in case.seen.runs.values()]


def test_a_choice_holds_longer_where_what_it_waits_for_is_old() -> None:
    assert Drain(1, 0, "main", 100.0).over == 160.0
    assert Drain(1, 0, "main", 100.0, tries=2).over == 340.0
    assert Drain(1, 0, "main", 100.0, begin=200.0).over == 500.0
