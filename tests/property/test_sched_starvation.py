"""Whatever small jobs come without end, every job that fits starts: nodes are drained for it where no end is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crane_celery.model.job import Job
from crane_celery.model.node import Node
from crane_celery.model.weights import Priority
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.view import View
from tests.unit.sched.cases import GIB, end_event, event, job, node, submit, view

_BASIC = Ranking(Priority(kind="basic"))
#: a small job takes at most so many seconds, and its time limit, if it has one, is at most this
LONGEST, LIMIT = 5, 20


@dataclass
class Stream:
    """A cluster in simulated time, where small jobs are always waiting."""

    seen: View
    small: Sequence[dict[str, Any]]
    takes: Sequence[int]
    config: Config = field(default_factory=lambda: Config(ranking=_BASIC))
    now: float = 100.0
    ends: list[tuple[float, int, int]] = field(default_factory=list)
    ended: int = 0
    began: dict[int, float] = field(default_factory=dict)
    last: Plan | None = None
    number: int = 1_000_000

    def feed(self) -> None:
        """See to it that small jobs wait."""
        waiting = sum(1 for entry in self.seen.entries.values() if entry.pending and entry.job.id >= 1_000_000)
        for _ in range(40 - waiting):
            self.number += 1
            wanted = self.small[self.number % len(self.small)]
            self.seen.apply(submit(job(self.number, **wanted)))

    def turn(self) -> None:
        """Plan and start."""
        self.feed()
        self.seen.advance(self.now)
        drains = self.last.drains if self.last else ()
        made = schedule(self.seen, self.now, self.config, None if self.seen.unsettled else self.last, drains)
        self.seen.unsettled = False
        self.last = made
        self.seen.pool.freed.clear()
        self.seen.started(made.starts)
        for start in made.starts:
            id = start.job + start.rank
            self.began[id] = self.now
            self.seen.apply(event("begin", node="n1", rows=[[id, start.job, start.run, self.now]]))
            takes = self.takes[id % len(self.takes)] if start.job >= 1_000_000 else LONGEST
            heappush(self.ends, (self.now + takes, id, start.job))

    def step(self) -> None:
        """On to the next end."""
        self.now = self.ends[0][0]
        while self.ends and self.ends[0][0] <= self.now:
            _, id, of = heappop(self.ends)
            self.ended += 1
            self.seen.apply(end_event(id, of, done=True))

    def until(self, id: int, most: float) -> None:
        """Go on until a job has started; it fails when that takes longer than ``most`` seconds."""
        begin = self.now
        while id not in self.began:
            assert self.now <= begin + most, (
                f"{id} has not started after {self.ended} ends: {self.last and self.last.drains}"
            )
            self.step()
            self.turn()


def stream(nodes: list[Node], small: Sequence[dict[str, Any]], takes: Sequence[int], **more: Any) -> Stream:
    """Small jobs of user 1 that have been there for a while."""
    partitions = more.pop("partitions", {})
    made = Stream(view([], nodes, **partitions), small, takes, **more)
    made.turn()
    for _ in range(5):
        assume(made.ends)  # something small fits at all
        made.step()
        made.turn()
    return made


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    return [
        node(f"n{n}", cpus=draw(st.integers(2, 6)), memory=draw(st.integers(4, 8)) * GIB, gpu=draw(st.integers(0, 2)))
        for n in range(draw(st.integers(1, 5)))
    ]


_SMALL = st.fixed_dictionaries(
    {
        "cpus_per_task": st.sampled_from([1, 1, 1, 2, 0.5]),
        "memory": st.sampled_from([0, GIB, 2 * GIB]),
        "gres": st.sampled_from([{}, {}, {"gpu": 1}]),
        "time_limit": st.sampled_from([None, None, LONGEST, LIMIT]),
        "uid": st.integers(1, 3),
    }
)


def big(draw: Any, nodes: list[Node], id: int, **more: Any) -> Job:
    """A job that fits on the empty cluster, often all of it."""
    wide = draw(st.integers(1, len(nodes)))
    gpus = sorted((each.spec.gres.get("gpu", 0) for each in nodes), reverse=True)[wide - 1]
    by_gpu = sorted(nodes, key=lambda each: -each.spec.gres.get("gpu", 0))[:wide]
    gpu = draw(st.integers(0, gpus)) if gpus else 0
    able = [each for each in nodes if each.spec.gres.get("gpu", 0) >= gpu]
    wide = min(wide, len(able))
    assert by_gpu
    able.sort(key=lambda each: -each.spec.cpus)
    most_cpus = able[wide - 1].spec.cpus
    fit = [each for each in able if each.spec.cpus >= most_cpus]
    most_memory = sorted((each.spec.memory for each in fit), reverse=True)[wide - 1]
    cpus = draw(st.integers(1, int(most_cpus)))
    return job(
        id,
        nodes=wide,
        ntasks=wide,
        cpus_per_task=cpus,
        memory=draw(st.integers(0, most_memory // GIB)) * GIB,
        gres={"gpu": gpu} if gpu else {},
        exclusive=draw(st.booleans()),
        time_limit=draw(st.sampled_from([None, LONGEST, LIMIT])),
        **more,
    )


@settings(deadline=None, max_examples=120)
@given(
    clusters(),
    st.lists(_SMALL, min_size=1, max_size=5),
    st.lists(st.integers(1, LONGEST), min_size=1, max_size=7),
    st.data(),
)
def test_a_job_that_fits_starts_whatever_small_jobs_come(
    nodes: list[Node], small: list[dict[str, Any]], takes: list[int], data: st.DataObject
) -> None:
    going = stream(nodes, small, takes)
    one, two = big(data.draw, nodes, 1, uid=9), big(data.draw, nodes, 2, uid=data.draw(st.sampled_from([9, 10])))
    going.seen.apply(submit(one))
    going.seen.apply(submit(two))
    going.turn()
    # a drain takes as long as a small job, once for each choice that was no use; a known room at most a time limit
    for each in (one, two):
        going.until(each.id, 12 * (LIMIT + LONGEST))
