"""Time goes on over random queues: who is behind delays nobody ahead, and backfill beats first come, first served."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.model.job import Job
from crane_celery.model.node import Node
from crane_celery.model.weights import Priority
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.view import View
from tests.unit.sched.cases import end_event, event, job, node, submit, view

_BASIC = Ranking(Priority(kind="basic"))
_SIZES = st.tuples(
    st.integers(1, 3),  # nodes
    st.integers(1, 4),  # CPUs on each
    st.integers(1, 50),  # time limit
    st.integers(1, 100),  # percent of it that it takes
)


@dataclass
class Replay:
    """A cluster in simulated time."""

    seen: View
    jobs: dict[int, Job]
    takes: dict[int, int]  # seconds that a job really takes
    now: float = 100.0
    running: list[tuple[float, int]] = field(default_factory=list)
    promised: dict[int, float] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    last: Plan | None = None

    def turn(self, config: Config) -> None:
        """Plan and start; note what is promised to whom."""
        self.seen.advance(self.now)
        made = schedule(self.seen, self.now, config, self.last)
        whole = schedule(self.seen, self.now, config)
        assert made.starts == whole.starts and list(made.holds) == list(whole.holds)
        self.last = made
        self.seen.pool.freed.clear()
        for hold in made.holds[:1]:  # of the first that waits: those behind it may be moved by those ahead of them
            promise = self.promised.setdefault(hold.job, hold.start)
            assert hold.start <= promise, "a room was put off"
            self.promised[hold.job] = hold.start
        self.seen.started(made.starts)
        for start in made.starts:
            assert self.now <= self.promised.get(start.job, self.now), "started later than promised"
            self.began[start.job] = self.now
            self.running.append((self.now + self.takes[start.job], start.job))
            self.seen.apply(event("begin", node="n1", rows=[[start.job, start.job, 1, self.now]]))

    def step(self) -> bool:
        """On to the next end; False when nothing runs."""
        if not self.running:
            return False
        self.running.sort()
        self.now = self.running[0][0]
        while self.running and self.running[0][0] <= self.now:
            self.seen.apply(end_event(self.running[0][1], self.running.pop(0)[1], done=True))
        return True


def replay(sizes: list[tuple[int, int, int, int]], config: Config) -> Replay:
    """All of them submitted at once, run to the end."""
    nodes: list[Node] = [node(f"n{n}") for n in range(3)]
    jobs = {
        id: job(id, nodes=count, ntasks=count * cpus, time_limit=limit)
        for id, (count, cpus, limit, _) in enumerate(sizes, 1)
    }
    takes = {id: max(1, limit * percent // 100) for id, (_, _, limit, percent) in enumerate(sizes, 1)}
    made = Replay(view([], nodes), jobs, takes)
    for each in jobs.values():
        made.seen.apply(submit(each))
    made.turn(config)
    while made.step():
        made.turn(config)
    return made


@settings(deadline=None, max_examples=150)
@given(st.lists(_SIZES, min_size=1, max_size=14))
def test_a_promise_is_kept_and_everything_runs(sizes: list[tuple[int, int, int, int]]) -> None:
    done = replay(sizes, Config(ranking=_BASIC))
    assert done.began.keys() == done.jobs.keys()


@settings(deadline=None, max_examples=150)
@given(st.lists(_SIZES, min_size=2, max_size=14), st.data())
def test_who_comes_later_changes_nothing_for_those_ahead(
    sizes: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    nodes = [node(f"n{n}") for n in range(3)]
    jobs = [
        job(id, nodes=count, ntasks=count * cpus, time_limit=limit)
        for id, (count, cpus, limit, _) in enumerate(sizes, 1)
    ]
    ahead = data.draw(st.integers(1, len(jobs)))
    config = Config(ranking=_BASIC)
    some, whole = schedule(view(jobs[:ahead], nodes), 100.0, config), schedule(view(jobs, nodes), 100.0, config)
    assert some.starts == [start for start in whole.starts if start.job <= ahead]
    assert list(some.holds) == [hold for hold in whole.holds if hold.job <= ahead]


def test_backfill_beats_first_come_first_served() -> None:
    sizes = [(1, 4, 50, 100), (3, 4, 50, 100), (1, 4, 50, 100), (1, 4, 50, 100), (3, 4, 50, 100), (2, 2, 50, 100)]
    backfill = replay(sizes, Config(ranking=_BASIC))
    fifo = replay(sizes, Config(ranking=_BASIC, backfill=False))
    assert backfill.now < fifo.now
    assert sum(backfill.began.values()) < sum(fifo.began.values())
