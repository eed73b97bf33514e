"""Define what the scheduler would say, asked in the gateway: a view of the live records, planned on and never
committed.

A view is made of the records when somebody asks, and kept with its forecast for a moment while they are the same. To
make it costs about 25 us a submission; a forecast costs 0.2 s, and 2 s where wide jobs wait for many ends.
"""

import threading
from dataclasses import dataclass
from functools import cached_property

from crane_celery.model.job import Job
from crane_celery.sched.cycle import schedule
from crane_celery.sched.forecast import Expected, forecast
from crane_celery.sched.noted import decode
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.prioritise import Ranking
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View
from crane_celery.service.query.live_records import Live, Records
from crane_celery.settings import Settings
from crane_celery.store.api import Store

#: seconds for which one plan of unchanged records will do
_FRESH_S = 2.0


@dataclass(frozen=True)
class Seen:
    """One moment as the scheduler sees it."""

    version: int
    now: float
    view: View
    plan: Plan
    config: Config

    @cached_property
    def expected(self) -> dict[int, Expected]:
        """When what may start does, by plain id."""
        return forecast(self.view, self.now, self.config, self.plan.drains)


class Outlook:
    """Looks at one store through its live records; safe to share between threads."""

    def __init__(self, live: Live, store: Store, settings: Settings) -> None:
        """Nothing is read yet."""
        self._live = live
        self._store = store
        self._settings = settings
        self._config = config_of(settings)
        self._lock = threading.Lock()
        self._last: Seen | None = None

    def now(self) -> Seen:
        """The present. Raises Unreachable."""
        with self._lock:
            records, at = self._live.current(), self._store.now()
            last = self._last
            changed = last is None or last.version != records.version
            if last is None or changed or at > last.now + _FRESH_S:
                last = self._last = self._see(records, at)
            return last

    def _see(self, records: Records, at: float, more: tuple[Job, ...] = ()) -> Seen:
        jobs = (*records.jobs, *more)
        view = view_of(self._settings.partitions, at, jobs, records.elements, records.nodes)
        noted = decode(self._store.noted_plan()).drains
        plan = schedule(view, at, self._config, None, noted)
        return Seen(records.version, at, view, plan, self._config)

    def with_job(self, job: Job, at: float = 0.0) -> Seen:
        """A moment (0 = now) at which this job is there too, which nobody has submitted. Raises Unreachable."""
        return self._see(self._live.current(), max(at, self._store.now()), (job,))


def config_of(settings: Settings) -> Config:
    """Return how the scheduler of these settings plans, but for who used how much lately, which its leader alone
    follows."""
    ranking = Ranking(settings.priority, {}, sum(node.cpus for node in settings.nodes.values()))
    return Config(ranking=ranking, draining=settings.draining, licenses=settings.licenses, max_jobs=settings.max_jobs)
