"""Whatever happens: no node is over-allocated, no throttle passed, and nothing starts that may not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import Job
from crane_celery.model.node import Node, NodeState
from crane_celery.model.states import Reason
from crane_celery.model.weights import Draining
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.pool import Pool
from crane_celery.sched.reasons import explain
from crane_celery.sched.view import View
from tests.unit.sched.cases import GIB, end_event, event, ids, job, node, node_event, plan, start_event, submit, view

NOW = 100.0


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    return [
        node(
            f"n{number}",
            cpus=draw(st.integers(1, 8)),
            memory=draw(st.integers(1, 8)) * GIB,
            state=draw(st.sampled_from([NodeState.UP, NodeState.UP, NodeState.UP, NodeState.DOWN, NodeState.DRAIN])),
            gpu_a=draw(st.integers(0, 3)),
            gpu_b=draw(st.integers(0, 2)),
        )
        for number in range(draw(st.integers(1, 5)))
    ]


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    names = st.lists(st.sampled_from(["n0", "n1", "n2"]), unique=True, max_size=2).map(tuple)
    return {
        "nodes": draw(st.integers(1, 3)),
        "cpus_per_task": draw(st.sampled_from([0.1, 0.5, 1, 2, 3.3])),
        "memory": draw(st.integers(1, 4)) * GIB // 2,
        "gres": draw(st.dictionaries(st.sampled_from(["gpu", "gpu:a", "gpu:b"]), st.integers(1, 2), max_size=2)),
        "priority": draw(st.integers(0, 2)),
        "nodelist": draw(st.just(()) | names),
        "exclude": draw(st.just(()) | names),
        "exclusive": draw(st.integers(0, 9)) == 0,
        "whole_memory": draw(st.integers(0, 9)) == 0,
        "throttle": draw(st.sampled_from([0, 0, 1, 3])),
    }


@st.composite
def jobs(draw: st.DrawFn) -> list[Job]:
    made = []
    for number in range(draw(st.integers(1, 8))):
        count = draw(st.sampled_from([1, 1, 4, 20]))
        held = RangeSet.of(draw(st.sets(st.integers(0, count - 1), max_size=3))).text
        ready = draw(st.sampled_from([0.0, 0.0, 0.0, 50.0, 150.0, -1.0, -2.0]))
        made.append(job((number + 1) * 100, count=count, held=held, ready=ready, **draw(options())))
    return made


def check_pool(pool: Pool) -> None:
    """Nothing is given that is not there, no slot twice."""
    for at, each in enumerate(pool.nodes):
        closed = 0 if each.state is NodeState.UP else 1 << 50
        assert pool.cpu[at] + closed >= 0 and pool.memory[at] >= 0
        assert all(users in (0, 1) for slots in pool.slots[at].values() for users in slots)


def check_plan(seen: View, made: Plan) -> None:
    """Check that what starts may start, each element once, within its throttle and its named nodes."""
    assert len(set(ids(made))) == len(made.starts)
    started = Counter(start.job for start in made.starts)
    for start in made.starts:
        entry = seen.entries[start.job]
        asked = entry.job.spec
        assert start.rank in entry.pending and start.rank not in entry.held
        assert 0 <= entry.ready <= NOW
        names = [part.node for part in start.allocation]
        assert len(set(names)) == len(names) == max(1, asked.nodes)
        assert not set(names) & set(asked.exclude) and (not asked.nodelist or set(names) <= set(asked.nodelist))
        assert all(seen.pool.nodes[seen.pool.number[name]].state is NodeState.UP for name in names)
        for part in start.allocation:
            assert sum(len(slots) for slots in part.gres.values()) == sum(asked.gres.values())
            whole = seen.pool.nodes[seen.pool.number[part.node]].spec.memory
            assert part.memory == (whole if asked.exclusive or asked.whole_memory else asked.memory)
    for id, count in started.items():
        entry = seen.entries[id]
        throttle = entry.job.spec.throttle
        assert not throttle or entry.active + count <= throttle


def check_reasons(seen: View, made: Plan) -> None:
    """Every submission that stays pending says why."""
    started = Counter(start.job for start in made.starts)
    for entry in seen.pending():
        left = len(entry.pending) - started[entry.job.id]
        assert (explain(seen, made, entry.job.id, NOW).reason is Reason.NONE) == (left == 0)


def check_bounds(pool: Pool) -> None:
    """The bounds of blocks, on which searches rely, are exact."""
    assert pool.most_free() == (max([0, *pool.cpu]), max([0, *pool.memory]))


@settings(max_examples=150, deadline=None)
@given(nodes(), jobs(), st.data())
def test_through_starts_ends_and_node_changes(some: list[Node], asked: list[Job], data: st.DataObject) -> None:
    seen = view(asked, some)
    for _ in range(data.draw(st.integers(1, 4))):
        made = plan(seen, NOW, max_starts=data.draw(st.sampled_from([2, 512])))
        check_plan(seen, made)
        check_reasons(seen, made)
        refused = data.draw(st.sets(st.sampled_from(range(len(made.starts))), max_size=2)) if made.starts else set()
        seen.started(start for at, start in enumerate(made.starts) if at not in refused)
        check_pool(seen.pool)
        check_bounds(seen.pool)
        running = sorted(seen.runs)
        for id in data.draw(st.sets(st.sampled_from(running))) if running else ():
            seen.apply(end_event(id, seen.runs[id].job))
        changed = data.draw(st.sampled_from(some))
        seen.apply(node_event(changed))
        job_id = data.draw(st.sampled_from(asked)).id
        seen.apply(event(data.draw(st.sampled_from(["hold", "release"])), job=job_id, ranks="0-1"))
    for id in list(seen.runs):
        seen.apply(end_event(id, seen.runs[id].job))
    assert [free for at, free in enumerate(seen.pool.cpu) if seen.pool.nodes[at].state is NodeState.UP] == [
        each.spec.cpus * 1000 for each in some if each.state is NodeState.UP
    ]


@settings(max_examples=60, deadline=None)
@given(nodes(), jobs())
def test_nothing_that_would_fit_is_left_behind(some: list[Node], asked: list[Job]) -> None:
    """First fit is work conserving: after a whole plan that drains no node, no startable element finds room."""
    seen = view(asked, some)
    made = schedule(seen, NOW, Config(draining=Draining(jobs=0)))
    after = seen.pool.copy()
    started = Counter(start.job for start in made.starts)
    for start in made.starts:
        after.take(start.allocation)
    for entry in seen.pending():
        may = 0 <= entry.ready <= NOW and len(entry.free) > started[entry.job.id] and entry.room > started[entry.job.id]
        assert not may or len(after.find(entry.want)) < entry.want.nodes


@settings(max_examples=150, deadline=None)
@given(nodes(), jobs(), st.data())
def test_remembering_what_was_turned_down_changes_no_start(
    some: list[Node], asked: list[Job], data: st.DataObject
) -> None:
    seen, last = view((), some), None
    for each in asked:
        seen.apply(submit(each))
        seen.advance(NOW)
        drains = last.drains if last else ()
        made = schedule(seen, NOW, Config(max_starts=data.draw(st.sampled_from([1, 512]))), last, drains)
        whole = schedule(seen, NOW, Config(max_starts=len(made.starts) if made.partial else 512), None, drains)
        assert made.starts == whole.starts
        check_reasons(seen, made)
        seen.pool.freed.clear()
        seen.started(made.starts)
        last = made
        running = sorted(seen.runs)
        for id in data.draw(st.sets(st.sampled_from(running), max_size=2)) if running else ():
            seen.apply(end_event(id, seen.runs[id].job))
        if data.draw(st.booleans()):
            seen.apply(node_event(replace(data.draw(st.sampled_from(some)), state=NodeState.UP)))


@settings(max_examples=60, deadline=None)
@given(nodes(), jobs())
def test_replaying_every_event_changes_nothing(some: list[Node], asked: list[Job]) -> None:
    one, two = view((), some), view((), some)
    events = [submit(each) for each in asked]
    for each in events:
        one.apply(each)
    made = plan(one, NOW)
    events += [start_event(start.job + start.rank, start.job, start.allocation) for start in made.starts]
    events += [end_event(id, start.job) for start in made.starts[::2] for id in [start.job + start.rank]]
    for view_, repeats in ((one, 1), (two, 2)):
        view_.advance(NOW)
        for each in events:
            for _ in range(repeats):
                view_.apply(each)
    assert one.pool.cpu == two.pool.cpu and one.pool.slots == two.pool.slots
    assert ids(plan(one, NOW)) == ids(plan(two, NOW))
