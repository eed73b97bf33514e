"""The face for submissions: accept, try without storing anything, submit again what is left of an array."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crane_celery.errors import InputError
from crane_celery.grammar.selector import Selector
from crane_celery.history.rows import Row
from crane_celery.model.dependency import Resolved
from crane_celery.model.job import Job, JobSpec
from crane_celery.sched import feasible
from crane_celery.service.query.dry_run import dry_run
from crane_celery.service.query.forecast import Seen
from crane_celery.service.query.live_records import Live
from crane_celery.service.shared.caller import Caller
from crane_celery.service.shared.resolve import Dependant, Past, resolve
from crane_celery.service.submit.accept import Accepted, Gate, accept, admit, prepare
from crane_celery.service.submit.options import Meant, Offer
from crane_celery.service.submit.other_options import Other, with_other
from crane_celery.service.submit.retry import Changed, retry
from crane_celery.settings import Settings
from crane_celery.store.api import Store


class Submissions:
    """The use cases that submit. Thread-safe as the store is."""

    def __init__(
        self, store: Store, settings: Settings, past: Past, live: Live, with_job: Callable[[Job, float], Seen]
    ) -> None:
        """``with_job`` forecasts the cluster with one submission more."""
        self._store = store
        self._settings = settings
        self._past = past
        self._live = live
        self._with_job = with_job

    def accept(self, caller: Caller, jobs: Sequence[Any], common: Mapping[str, Any], key: str) -> Accepted:
        """Accept jobs (service.submit.accept). Raises Refused in its kinds, InputError, NotSupported."""
        self._live.wanted()
        return accept(caller, jobs, common, key, self._gate(), self._store)

    def retry(self, caller: Caller, selector: Selector, held: bool, key: str, other: Other | None = None) -> Accepted:
        """Submit elements of an array again that did not complete (submit.retry), with ``other`` options changed.

        Raises Refused in its kinds, InputError.
        """

        def change(spec: JobSpec) -> Changed:
            return Changed(spec) if other is None else with_other(spec, other, caller, self._gate())

        return retry(caller, selector, held, key, self._settings, self._store, self._past, self._live.running, change)

    def dry_run(self, caller: Caller, jobs: Sequence[Any]) -> Row:
        """Return when and where a submission would start; store nothing. Raises what ``accept`` would."""
        gate = self._gate()
        admit(caller, gate)
        made, notices = prepare(caller, jobs, {}, gate)
        if len(made) != 1:
            raise InputError(f"one job is tested at a time, this request has {len(made)}")
        return dry_run(made[0], notices, self._store.now(), self._with_job)

    def _gate(self) -> Gate:
        settings = self._settings
        allowed = settings.allow_root or settings.single_user_uid == 0
        return Gate(Offer(settings, self._store.now), allowed, self._feasible, self.resolve)

    def _feasible(self, meant: Meant) -> None:
        feasible.check(meant.spec, self._settings.nodes, self._settings.partitions)

    def resolve(self, text: str, uid: int, array: str) -> Resolved:
        """Return the blocks of a dependency as typed by a user, of an array with this index text.

        Raises InputError, NotFound, Denied.
        """
        return resolve(text, self._store, self._past, Dependant(uid, array, self._settings.array_dependency == "last"))
