"""One run of a trace through ``sched.schedule``, fed with the events that a real cluster would tell the leader.

``fifo`` starts nobody before whoever came earlier: the scheduler is shown one waiting job at a time. ``firstfit`` is
shown all of them, and keeps no room for those that find none; ``backfill`` is what a cluster does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import Event
from crane_celery.model.job import Job
from crane_celery.model.states import State
from crane_celery.model.weights import Priority
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Placement, Plan
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View
from crane_celery.sched.want import MILLI
from crane_celery.simulation.cluster import Cluster
from crane_celery.simulation.trace import TraceJob

#: server time of the first submission: 0 would say "no time" in the records
EPOCH = 1_000_000_000.0

POLICIES = ("fifo", "firstfit", "backfill")

#: told after every cycle: the view before its starts, the plan, simulated server time
Observer = Callable[[View, Plan, float], None]


class Ran(NamedTuple):
    """Record of what became of a job. Times since the first submission."""

    job: TraceJob
    start: float
    end: float


class Sample(NamedTuple):
    """From this time on, until the next sample."""

    at: float
    busy: int  # CPUs
    waiting: int  # jobs
    drained: float = 0.0  # CPUs that are idle on nodes which are drained towards a job


class Result(NamedTuple):
    """One run of a trace."""

    policy: str
    ran: list[Ran]
    samples: list[Sample]
    considered: int  # outcomes: in every cycle each job that waits either starts or is turned down
    spent: float  # seconds inside the scheduler, by the clock that was given


class Replay:
    """A trace, a cluster and a policy, on their way through time."""

    def __init__(
        self,
        jobs: Sequence[TraceJob],
        cluster: Cluster,
        policy: str,
        clock: Callable[[], float] = lambda: 0.0,
        observe: Observer | None = None,
    ) -> None:
        """``clock`` measures how long the scheduler takes. InputError when the cluster can never run a job."""
        self._jobs = jobs
        self._records = [cluster.job(each, id, EPOCH + each.submit) for id, each in enumerate(jobs, 1)]
        self._policy = policy
        basic = Ranking(Priority(kind="basic"))
        self._config = Config(ranking=basic) if policy == "backfill" else Config(ranking=basic, rooms=0)
        self._clock = clock
        self._observe = observe
        self._view = view_of({cluster.partition.name: cluster.partition}, EPOCH, (), (), cluster.members())
        self._last: Plan | None = None
        self._unseen: deque[Job] = deque()  # submitted, and not shown to the scheduler yet
        self._waiting = self._busy = 0
        self._ends: list[tuple[float, int]] = []  # heap of (time, id)
        self._ran: dict[int, Ran] = {}
        self._samples: list[Sample] = []
        self._considered = 0
        self._spent = 0.0
        self._seq = count(1)

    def run(self) -> Iterator[tuple[int, int]]:
        """Go through time; yields (ended, all) after every moment at which something happened."""
        arrivals = deque(self._records)
        while arrivals or self._ends:
            times = [arrivals[0].submitted_at] if arrivals else []
            now = min([*times, self._ends[0][0]] if self._ends else times)
            while self._ends and self._ends[0][0] <= now:
                self._end(heappop(self._ends)[1], now)
            while arrivals and arrivals[0].submitted_at <= now:
                self._unseen.append(arrivals.popleft())
                self._waiting += 1
            self._plan(now)
            self._samples.append(Sample(now - EPOCH, self._busy, self._waiting, self._drained()))
            yield len(self._ran) - len(self._ends), len(self._jobs)

    def result(self) -> Result:
        """Return what came of it, once ``run`` is through."""
        ran = [self._ran[id] for id in sorted(self._ran)]
        return Result(self._policy, ran, self._samples, self._considered, self._spent)

    def _plan(self, now: float) -> None:
        """Start whatever may start now."""
        while self._show(now):
            began = self._clock()
            plan = schedule(self._view, now, self._config, self._last, self._last.drains if self._last else ())
            self._spent += self._clock() - began
            self._considered += len(self._view.entries) - len(self._view.runs)
            if self._observe:
                self._observe(self._view, plan, now)
            self._last = plan
            self._view.pool.freed.clear()
            self._view.todo.plan = False
            self._start(plan.starts, now)
            if not plan.partial and not (plan.starts and self._unseen):
                break

    def _show(self, now: float) -> bool:
        """Tell the scheduler of submissions, as the policy has it; whether there is anything to plan for."""
        self._view.advance(now)
        while self._unseen and (self._policy != "fifo" or len(self._view.entries) == len(self._view.runs)):
            self._tell(now, "submit", {"job": job_to_json(self._unseen.popleft())})
        return self._view.todo.plan or bool(self._last and self._last.partial)

    def _drained(self) -> float:
        """CPUs that are idle on drained nodes."""
        pool = self._view.pool
        names = {name for drain in (self._last.drains if self._last else ()) for name in drain.nodes}
        return sum(pool.cpu[pool.number[name]] for name in names) / MILLI

    def _start(self, starts: Sequence[Placement], now: float) -> None:
        self._view.started(starts)
        for start in starts:
            job, record = self._jobs[start.job - 1], self._records[start.job - 1]
            heappush(self._ends, (now + job.run, start.job))
            self._ran[start.job] = Ran(job, now - EPOCH, now - EPOCH + job.run)
            self._waiting -= 1
            self._busy += record.spec.ntasks
        if starts:
            self._tell(now, "begin", {"rows": [[start.job, start.job, 1, now] for start in starts]})

    def _end(self, id: int, now: float) -> None:
        ran = self._ran[id]
        began, ended = EPOCH + ran.start, EPOCH + ran.end
        row = [id, id, 0, 1, State.COMPLETED.value, 0, began, ended, "", 0.0, 0, 0, True]
        self._tell(now, "end", {"rows": [row]})
        self._busy -= self._records[id - 1].spec.ntasks

    def _tell(self, now: float, kind: str, data: dict[str, Any]) -> None:
        self._view.apply(Event(f"{next(self._seq)}-0", now, kind, data))
