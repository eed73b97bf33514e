"""The face for actions on jobs and nodes that are there."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from crane_celery.errors import Denied, InputError
from crane_celery.grammar.duration import parse_duration
from crane_celery.grammar.hostlist import expand_all
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.model.dependency import Resolved, encode
from crane_celery.model.job import Job
from crane_celery.service.control import actions, node_states
from crane_celery.service.control import cancel as cancelling
from crane_celery.service.control import requeue as again
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.queue import Queue
from crane_celery.service.shared.caller import Caller, is_operator
from crane_celery.service.shared.hosts import most_names
from crane_celery.service.shared.resolve import Past, refuse_circle
from crane_celery.service.shared.targets import Target, targets
from crane_celery.service.shared.time_zones import zone_of
from crane_celery.settings import Settings
from crane_celery.store.api import Changing, Store

#: requeue all that is named
AGAIN = again.How()


class Controls:
    """The use cases that change jobs and nodes. Thread-safe as the store is."""

    def __init__(
        self, store: Store, settings: Settings, past: Past, queue: Queue, resolve: Callable[[str, int, str], Resolved]
    ) -> None:
        """``resolve(text, uid, array)`` turns a dependency as typed into plain ids."""
        self._store = store
        self._settings = settings
        self._past = past
        self._queue = queue
        self._live = queue.live
        self._resolve = resolve

    def cancel(
        self, caller: Caller, selectors: Sequence[Selector], filters: Filters, how: cancelling.How = cancelling.CANCEL
    ) -> cancelling.Outcome:
        """Cancel what is named, what matches, or, with both, what is named and matches.

        By condition, people reach their own jobs only, operators all. Raises InputError when nothing is said.
        """
        operator = self._operator(caller)
        if not selectors and filters == Filters():
            raise InputError("name jobs to cancel, or at least one condition such as --user, --name or --state")
        found, missed = targets(tuple(selectors), self._store)
        if filters != Filters():
            alive = self._queue.alive()
            found = cancelling.narrowed(found, alive, filters) if selectors else cancelling.matching(alive, filters)
            found = [each for each in found if operator or selectors or each.job.spec.uid == caller.uid]
        if how.cascade and not how.signal:
            lost = cancelling.doomed(self._live.current().jobs, found)
            found = [*found, *(each for each in lost if operator or each.job.spec.uid == caller.uid)]
        return cancelling.cancel(found, missed, caller.uid, operator, self._store, self._live, how)

    def hold(self, caller: Caller, selectors: Sequence[Selector], on: bool, time: str = "") -> cancelling.Outcome:
        """Hold or release pending jobs or elements; with ``time`` a hold lasts so long."""
        seconds = parse_duration(time) if time else None
        if seconds == 0:
            raise InputError(f"timelimit={time[:60]}: a hold of no length is none: write how long, or release the job")
        until = self._store.now() + seconds if seconds else 0.0
        return self._control(caller, selectors, lambda target: actions.hold(target, on, until, caller.uid, self._store))

    def suspend(self, caller: Caller, selectors: Sequence[Selector], on: bool) -> cancelling.Outcome:
        """Stop running jobs where they are, or let them go on."""
        return self._control(
            caller, selectors, lambda target: actions.suspend(target, on, caller.uid, self._store, self._live)
        )

    def requeue(self, caller: Caller, selectors: Sequence[Selector], how: again.How = AGAIN) -> again.Result:
        """Have jobs run again."""
        found, missed = targets(tuple(selectors), self._store)
        missed = again.explained(missed, selectors, self._settings, self._store, self._past)
        allowed, who, notes = self._settings.job_requeue, actions.Who(caller.uid, self._operator(caller)), list[str]()

        def change(target: Target, ranks: RangeSet) -> Changing:
            return actions.changing(target, ranks, how.changes, who, self._site(how.zone), self._encode)

        def act(each: Target) -> cancelling.Outcome:
            return again.requeue(each, how, allowed, caller.uid, self._store, self._live, notes, change)

        did = actions.each(found, missed, who, act)
        return again.Result(did.done, did.failed, tuple(notes))

    def update(
        self, caller: Caller, selectors: Sequence[Selector], wanted: Mapping[str, str], zone: str
    ) -> cancelling.Outcome:
        """Change jobs: keys and values as typed, times in the caller's zone. Raises InputError for an unknown key."""
        who = actions.Who(caller.uid, self._operator(caller))
        site = self._site(zone)

        def act(target: Target) -> cancelling.Outcome:
            return actions.update(target, wanted, who, site, self._encode, self._store, self._live)

        return self._control(caller, selectors, act)

    def _site(self, zone: str) -> actions.Site:
        now = datetime.fromtimestamp(self._store.now(), zone_of(zone))
        return actions.Site(self._settings.nodes, self._settings.partitions, now)

    def _encode(self, text: str, job: Job) -> str:
        """A dependency as the store has it. Raises InputError where the job would wait for itself."""
        found = encode(self._resolve(text, job.spec.uid, job.spec.array))
        refuse_circle(job.id, found, self._store)
        return found

    def top(self, caller: Caller, selectors: Sequence[Selector]) -> cancelling.Outcome:
        """Put pending jobs before their owner's other ones, the first named first."""
        return self._control(
            caller,
            tuple(reversed(selectors)),
            lambda target: actions.top(
                target, self._live.current().jobs, caller.uid, self._store, self._settings.priority
            ),
        )

    def _control(
        self, caller: Caller, selectors: Sequence[Selector], act: Callable[[Target], cancelling.Outcome]
    ) -> cancelling.Outcome:
        found, missed = targets(tuple(selectors), self._store)
        return actions.each(found, missed, actions.Who(caller.uid, self._operator(caller)), act)

    def update_node(self, caller: Caller, names: Sequence[str], state: str, reason: str) -> cancelling.Outcome:
        """Drain nodes, resume them, or take them down. Raises Denied for anybody but an operator, InputError."""
        if not self._operator(caller):
            raise Denied("Permission Denied: only operators change nodes")
        wanted = expand_all(names, most_names(self._settings.nodes))
        return node_states.change(wanted, state, reason, self._store)

    def _operator(self, caller: Caller) -> bool:
        return is_operator(caller, self._settings.operators)
