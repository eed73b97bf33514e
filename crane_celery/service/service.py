"""The service: every use case as one method, for the gateway's handlers and for tests. Thread-safe as its store is."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from crane_celery.errors import Denied, InputError, NotFound, NotSupported
from crane_celery.grammar.duration import parse_duration
from crane_celery.grammar.hostlist import expand_all
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.history.api import History, Query, Span, Total
from crane_celery.history.rows import Row, newest_first, step_rows
from crane_celery.model.dependency import Resolved, encode
from crane_celery.model.event import Position
from crane_celery.model.job import Job, JobSpec
from crane_celery.model.states import ENDED, HOLDING
from crane_celery.sched import feasible
from crane_celery.service.control import actions, node_states
from crane_celery.service.control import cancel as cancelling
from crane_celery.service.control import requeue as again
from crane_celery.service.query import element_ids, ended, explain, listing, output, progress, queue, show, story
from crane_celery.service.query import node_records as places
from crane_celery.service.query.array_summary import summaries
from crane_celery.service.query.dependents import dependents
from crane_celery.service.query.dry_run import dry_run
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.forecast import Outlook
from crane_celery.service.query.job_rows import pending_row
from crane_celery.service.query.limits import limits_of
from crane_celery.service.query.privacy import ALL, Viewer
from crane_celery.service.query.spans import parse_spans, within
from crane_celery.service.shared.caller import Caller, is_operator
from crane_celery.service.shared.hosts import known_nodes, most_names
from crane_celery.service.shared.resolve import Dependant, refuse_circle, resolve
from crane_celery.service.shared.targets import Target, targets
from crane_celery.service.shared.time_zones import zone_of
from crane_celery.service.submit.accept import Accepted, Gate, accept, admit, prepare
from crane_celery.service.submit.options import Meant, Offer
from crane_celery.service.submit.other_options import Other, with_other
from crane_celery.service.submit.retry import Changed, retry
from crane_celery.settings import Settings
from crane_celery.store.api import Changing, Store

#: seconds that a question about the past waits for the recorder, which is started again within 5
FILING_PATIENCE_S = 8.0
#: all that is named
AGAIN = again.How()


class Service:
    """The use cases of one cluster."""

    def __init__(self, store: Store, settings: Settings, history: History | None = None) -> None:
        """Without a history, questions about the past are answered from what lives."""
        self.store = store
        self.settings = settings
        self.queue = queue.Queue(store, settings.partitions.values(), limits_of(settings))
        self._outlook = Outlook(self.queue.live, store, settings)
        self._history = history
        #: the table asked for last, and what it was: people look again and again at a queue that has not changed
        self._last_table: tuple[object, Row] | None = None

    def submit(self, caller: Caller, jobs: Sequence[Any], common: Mapping[str, Any], key: str) -> Accepted:
        """Accept jobs (service.submit.accept). Raises Refused in its kinds, InputError, NotSupported."""
        self.queue.live.wanted()
        return accept(caller, jobs, common, key, self._gate(), self.store)

    def retry(self, caller: Caller, selector: Selector, held: bool, key: str, other: Other | None = None) -> Accepted:
        """Elements of an array again that did not complete (submit.retry), with some other options than before. Raises
        Refused in its kinds, InputError."""

        def change(spec: JobSpec) -> Changed:
            return Changed(spec) if other is None else with_other(spec, other, caller, self._gate())

        return retry(caller, selector, held, key, self.settings, self.store, self, change)

    def _gate(self) -> Gate:
        settings = self.settings
        allowed = settings.allow_root or settings.single_user_uid == 0
        return Gate(Offer(settings, self.store.now), allowed, self._feasible, self._resolve)

    def _feasible(self, meant: Meant) -> None:
        feasible.check(meant.spec, self.settings.nodes, self.settings.partitions)

    def _resolve(self, text: str, uid: int, array: str) -> Resolved:
        return resolve(text, self.store, self, Dependant(uid, array, self.settings.array_dependency == "last"))

    def array_of(self, job: int) -> str:
        """The index text of a submission that left the store, from the history."""
        row = self._history.submission(job) if self._history else None
        return str(row["array"]) if row and row["job"] == job else ""

    def cancel(
        self, caller: Caller, selectors: Sequence[Selector], filters: Filters, how: cancelling.How = cancelling.CANCEL
    ) -> cancelling.Outcome:
        """Cancel what is named, what matches, or, with both, what is named and matches.

        By condition, people reach their own jobs only, operators all. Raises InputError when nothing is said.
        """
        operator = self.operator(caller)
        if not selectors and filters == Filters():
            raise InputError("name jobs to cancel, or at least one condition such as --user, --name or --state")
        found, missed = targets(tuple(selectors), self.store)
        if filters != Filters():
            alive = self.queue.alive()
            found = cancelling.narrowed(found, alive, filters) if selectors else cancelling.matching(alive, filters)
            found = [each for each in found if operator or selectors or each.job.spec.uid == caller.uid]
        if how.cascade and not how.signal:
            lost = cancelling.doomed(self.store.jobs(), found)
            found = [*found, *(each for each in lost if operator or each.job.spec.uid == caller.uid)]
        return cancelling.cancel(found, missed, caller.uid, operator, self.store, how)

    def testonly(self, caller: Caller, jobs: Sequence[Any]) -> Row:
        """When and where a submission would start; nothing is stored. Raises what ``submit`` would."""
        gate = self._gate()
        admit(caller, gate)
        made, notices = prepare(caller, jobs, {}, gate)
        if len(made) != 1:
            raise InputError(f"one job is tested at a time, this request has {len(made)}")
        return dry_run(made[0], notices, self.store.now(), self._outlook.with_job)

    def start(self, selectors: Sequence[Selector]) -> dict[str, float]:
        """Expected starts of what waits, or of the jobs named, by plain id; absent where nobody knows."""
        expected = self._outlook.now().expected
        named = [(each.job.id, each.ranks) for each in targets(tuple(selectors), self.store)[0]]
        return {
            str(id_): each.start
            for id_, each in expected.items()
            if not selectors or any(id_ - job in ranks for job, ranks in named)
        }

    def explain(self, selectors: Sequence[Selector], zone: str, viewer: Viewer = ALL) -> list[Row]:
        """Why jobs wait (query.explain) or how they ended (query.ended), as ``viewer`` sees it. Raises NotFound."""
        sources, hosts = story.Sources(self.store, self._history), output.hosts(self.store)
        found = [(each, sources.target(each)) for each in selectors]
        alive, seen = self.queue.alive(), self._outlook.now()
        made: list[Row] = []
        for selector, target in found:
            lines = explain.waiting(target, alive, seen, zone, self.store)
            place = partial(output.place, job=target.job, hosts=hosts)
            more: list[str] = []
            started: list[Row] = []
            if target.ranks - RangeSet.parse(target.job.pending):
                usage = self.usage((selector._replace(step=None),))
                more, started = ended.told(selector, usage, lambda want: viewer.listed(self.history(want)), place, zone)
            made.append({"jobid": target.shown, "lines": [*lines, *more], "started": started})
        return made

    def dependents(self, selectors: Sequence[Selector]) -> list[Row]:
        """Who waits for the jobs named. Raises NotFound for one that is not there."""
        found, missed = targets(tuple(selectors), self.store)
        if missed:
            raise NotFound(f"{missed[0].shown}: {missed[0].error.message}")
        return dependents(found, self.queue.live.current().jobs)

    def hold(self, caller: Caller, selectors: Sequence[Selector], on: bool, time: str = "") -> cancelling.Outcome:
        """Hold or release pending jobs or elements; with ``time`` a hold lasts so long."""
        seconds = parse_duration(time) if time else None
        if seconds == 0:
            raise InputError(f"timelimit={time[:60]}: a hold of no length is none: write how long, or release the job")
        until = self.store.now() + seconds if seconds else 0.0
        return self._control(caller, selectors, lambda target: actions.hold(target, on, until, caller.uid, self.store))

    def suspend(self, caller: Caller, selectors: Sequence[Selector], on: bool) -> cancelling.Outcome:
        """Stop running jobs where they are, or let them go on."""
        return self._control(caller, selectors, lambda target: actions.suspend(target, on, caller.uid, self.store))

    def requeue(self, caller: Caller, selectors: Sequence[Selector], how: again.How = AGAIN) -> again.Result:
        """Have jobs run again."""
        found, missed = targets(tuple(selectors), self.store)
        missed = again.explained(missed, selectors, self.settings, self.store, self)
        allowed, who, notes = self.settings.job_requeue, actions.Who(caller.uid, self.operator(caller)), list[str]()

        def change(target: Target, ranks: RangeSet) -> Changing:
            return actions.changing(target, ranks, how.changes, who, self._site(how.zone), self._encode)

        did = actions.each(
            found, missed, who, lambda each: again.requeue(each, how, allowed, caller.uid, self.store, notes, change)
        )
        return again.Result(did.done, did.failed, tuple(notes))

    def update(
        self, caller: Caller, selectors: Sequence[Selector], wanted: Mapping[str, str], zone: str
    ) -> cancelling.Outcome:
        """Change jobs: keys and values as typed, times in the caller's zone. Raises InputError for an unknown key."""
        who = actions.Who(caller.uid, self.operator(caller))
        site = self._site(zone)
        return self._control(
            caller, selectors, lambda target: actions.update(target, wanted, who, site, self._encode, self.store)
        )

    def _site(self, zone: str) -> actions.Site:
        now = datetime.fromtimestamp(self.store.now(), zone_of(zone))
        return actions.Site(self.settings.nodes, self.settings.partitions, now)

    def _encode(self, text: str, job: Job) -> str:
        """A dependency as the store has it. Raises InputError where the job would wait for itself."""
        found = encode(self._resolve(text, job.spec.uid, job.spec.array))
        refuse_circle(job.id, found, self.store)
        return found

    def top(self, caller: Caller, selectors: Sequence[Selector]) -> cancelling.Outcome:
        """Put pending jobs before their owner's other ones, the first named first."""
        return self._control(
            caller,
            tuple(reversed(selectors)),
            lambda target: actions.top(target, self.store.jobs(), caller.uid, self.store, self.settings.priority),
        )

    def _control(
        self, caller: Caller, selectors: Sequence[Selector], act: Callable[[Target], cancelling.Outcome]
    ) -> cancelling.Outcome:
        found, missed = targets(tuple(selectors), self.store)
        return actions.each(found, missed, actions.Who(caller.uid, self.operator(caller)), act)

    def update_node(self, caller: Caller, names: Sequence[str], state: str, reason: str) -> cancelling.Outcome:
        """Drain nodes, resume them, or take them down. Raises Denied for anybody but an operator, InputError."""
        if not self.operator(caller):
            raise Denied("Permission Denied: only operators change nodes")
        wanted = expand_all(names, most_names(self.settings.nodes))
        return node_states.change(wanted, state, reason, self.store)

    def operator(self, caller: Caller) -> bool:
        """Whether the caller may act on everybody's jobs."""
        return is_operator(caller, self.settings.operators)

    def jobs(self, want: listing.Wanted) -> listing.Listed:
        """The queue as rows (service.query.listing)."""
        chosen, total = self._listed(self.queue.alive(), want)
        return listing.Listed(listing.rows_of(chosen, want.limit), total)

    def job_ids(self, want: listing.Wanted) -> Row:
        """The ids of what ``jobs`` lists, one of each array (service.query.element_ids)."""
        found = self.jobs(want)
        left = found.total.number - len(found.rows)
        answer = element_ids.answer(element_ids.of_rows(found.rows), 0)
        return {**answer, "total": answer["total"] + left, "exact": found.total.exact}

    def table(self, want: listing.Wanted, keys: Sequence[str]) -> Row:
        """The queue by columns."""
        found = self.queue.alive()
        asked = (found.version, found.until, want, tuple(keys))
        last = self._last_table
        if last is None or last[0] != asked or found.elements or want.past:  # what runs has a time that goes on
            chosen, total = self._listed(found, want)
            last = self._last_table = asked, {**listing.table(chosen, want, keys), **listing.totals(chosen, total)}
        return last[1]

    def _listed(self, found: queue.Alive, want: listing.Wanted) -> tuple[queue.Chosen, Total]:
        past = self._history if want.past else None
        chosen = listing.live(found, want._replace(past=False) if past else want, self.store)
        if past is None:
            return chosen, Total(len(chosen.lines) + len(chosen.rows))
        self._await_filing()
        return listing.with_past(chosen, want, found.around.now - self.settings.window_s, past)

    def steps(self, selectors: Sequence[Selector], filters: Filters) -> list[Row]:
        """Steps of what runs."""
        records = show.step_rows(selectors, self.queue.alive(), self.store)
        return [row for row in records if row["state"] in HOLDING and filters.row(row)]

    def show(self, what: str, names: Sequence[str], selectors: Sequence[Selector]) -> list[Row]:
        """Records of jobs, steps, nodes, partitions, or the one of the configuration."""
        match what:
            case "job":
                return show.job_records(selectors, self.queue.alive(), self.store)
            case "step":
                return show.step_records(selectors, self.queue.alive(), self.store)
            case "node":
                by_name = {record["name"]: record for record in self.nodes()}
                return [by_name[name] for name in known_nodes(names, by_name) or by_name]
            case "partition":
                return show.named("partition", self.partitions(), names)
            case "lic":
                shot = self.queue.live.current()
                return show.named("licence", show.license_records(self.settings, shot.jobs, shot.elements), names)
            case "config":
                return [show.config_record(self.settings)]
        raise NotSupported(f"show {what[:60]} is not supported: there are job, step, node, partition and config")

    def nodes(self) -> list[Row]:
        """All nodes, by name."""
        settings = self.settings
        return places.node_records(
            settings.nodes, self.store.nodes(), settings.partitions.values(), self.store.elements()
        )

    def partitions(self) -> list[Row]:
        """All partitions, as configured."""
        by_name = {record["name"]: record for record in self.nodes()}
        default = self.settings.default_partition
        return [
            places.partition_record(each, by_name, each.name == default) for each in self.settings.partitions.values()
        ]

    def history(self, want: Query) -> listing.Listed:
        """Rows of runs, newest first: the history's, and the live ones that match."""
        live = self._live(want)
        rows = {(row["id"], row["run"]): row for row in live}
        filed: list[Row] = []
        if self._history:
            self._await_filing()
            filed = self._history.query(want)
            rows.update({(row["id"], row["run"]): row for row in filed})
        total = Total(len(rows))
        if self._history and want.limit and len(filed) == want.limit:
            counted = self._history.count(want)
            alive = sum(row["state"] not in ENDED for row in live)
            total = Total(max(len(rows), counted.number + alive), counted.exact)
        return listing.Listed(newest_first(list(rows.values()), want.limit), total)

    def ids(self, want: Query) -> Row:
        """The ids of all that ``history`` is about, one of each array (service.query.element_ids)."""
        found = element_ids.of_rows(self._live(want))
        if self._history:
            self._await_filing()
            found = element_ids.together(found, self._history.elements(want))
        return element_ids.answer(found, want.limit)

    def arrays(self, want: Query) -> listing.Listed:
        """Arrays, newest first, with how many of their elements are in which state (service.query.array_summary)."""
        asked = listing.Wanted(want.selectors, listing.filters_of(want)._replace(states=frozenset()))
        chosen = listing.live(self.queue.alive(), asked, self.store)
        if self._history:
            self._await_filing()
        return summaries(self._history, chosen, want)

    def usage(self, selectors: Sequence[Selector]) -> list[Row]:
        """What jobs used of what they held, in groups (``History.usage``); none for what never was."""
        want = listing.Wanted(tuple(selectors), past=self._history is None)
        chosen = listing.live(self.queue.alive(), want, self.store)
        found = [listing.used(row) for row in (*map(pending_row, chosen.lines), *chosen.rows)]
        if self._history:
            self._await_filing()
            alive = listing.ids_of(chosen)
            found += self._history.usage(selectors, alive)
        return found

    def story(self, selectors: Sequence[Selector]) -> list[Row]:
        """What has happened to jobs, whether they live or not (service.query.story). Raises NotFound."""
        alive = self.queue.alive().elements  # before the history is asked: what ends meanwhile is in one of the two
        if self._history:
            self._await_filing()
        return story.stories(selectors, story.Sources(self.store, self._history), alive)

    def output(self, selectors: Sequence[Selector], failed: int = 0) -> list[Row]:
        """Where the output of jobs lies (service.query.output). Raises NotFound, Refused."""
        past = story.Sources(self.store, self._history)
        return output.outputs(selectors, past, lambda want: self.history(want).rows, failed)

    def _await_filing(self) -> None:
        """Wait until the recorder has filed what had happened by now: an end that was told must be seen here too.

        Usually it has. One that is being restarted gets ``FILING_PATIENCE_S``; where none ever ran, nothing is awaited.
        """
        last, deadline = Position.parse(self.store.last_event()), time.monotonic() + FILING_PATIENCE_S
        while (0, 0) < Position.parse(self.store.cursor("recorder")) < last and time.monotonic() < deadline:
            time.sleep(0.005)

    def _live(self, want: Query) -> list[Row]:
        filters = listing.filters_of(want)
        found = self.queue.alive()
        past = self._history is None and bool(filters.states & ENDED)
        asked = listing.Wanted(want.selectors, filters, past=past)
        rows = listing.rows_of(listing.live(found, asked, self.store), 0)
        rows = [row for row in rows if within(row, want)]
        if want.steps:
            for row in rows:
                row["steps"] = step_rows(row, self.store.steps(row["id"], row["run"]) if row["run"] else ())
        return rows

    def spans(self, texts: Mapping[str, str], zone: str) -> dict[str, Span]:
        """Intervals as typed, in the caller's zone (service.query.spans). Raises InputError."""
        return parse_spans(texts, datetime.fromtimestamp(self.store.now(), zone_of(zone)))

    def goals(self, selectors: Sequence[Selector]) -> list[progress.Goal]:
        """What somebody waits for."""
        return progress.goals(selectors, self.store, self)

    def ping(self, caller: Caller) -> Row:
        """Who and what answers."""
        return {
            "version": _version(),
            "cluster": self.settings.cluster,
            "now": self.store.now(),
            "user": caller.user,
            "round_trip_s": self.store.ping(),
        }


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("crane-celery")
    except PackageNotFoundError:
        return "0"
