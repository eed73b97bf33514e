"""The face for questions about jobs and nodes, alive or long ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from crane_celery.errors import NotFound, NotSupported
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.history.api import History, Query, Span, Total
from crane_celery.history.rows import Row, newest_first, step_rows
from crane_celery.model.states import ENDED, HOLDING
from crane_celery.service.query import element_ids, ended, explain, listing, output, progress, queue, show, story
from crane_celery.service.query import node_records as places
from crane_celery.service.query.array_summary import summaries
from crane_celery.service.query.dependents import dependents
from crane_celery.service.query.filing import Filing
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.forecast import Outlook
from crane_celery.service.query.job_rows import pending_row
from crane_celery.service.query.privacy import ALL, Viewer
from crane_celery.service.query.queue import Queue
from crane_celery.service.query.spans import parse_spans, within
from crane_celery.service.shared.hosts import known_nodes
from crane_celery.service.shared.resolve import Past
from crane_celery.service.shared.targets import targets
from crane_celery.service.shared.time_zones import zone_of
from crane_celery.settings import Settings
from crane_celery.store.api import Store


class Queries:
    """The use cases that answer and change nothing. Thread-safe as the store and the history are."""

    def __init__(
        self, store: Store, settings: Settings, history: History | None, past: Past, queue: Queue, outlook: Outlook
    ) -> None:
        """Without a history, questions about the past are answered from what lives."""
        self.queue = queue
        self._store = store
        self._settings = settings
        self._history = history
        self._past = past
        self._outlook = outlook
        self._filing = Filing(store)
        #: cache of the last table and its question: ``--watch`` asks again and again about an unchanged queue
        self._last_table: tuple[object, Row] | None = None

    def start(self, selectors: Sequence[Selector]) -> dict[str, float]:
        """Expected starts of what waits, or of the jobs named, by plain id; absent where nobody knows."""
        expected = self._outlook.now().expected
        named = [(each.job.id, each.ranks) for each in targets(tuple(selectors), self._store)[0]]
        return {
            str(id_): each.start
            for id_, each in expected.items()
            if not selectors or any(id_ - job in ranks for job, ranks in named)
        }

    def explain(self, selectors: Sequence[Selector], zone: str, viewer: Viewer = ALL) -> list[Row]:
        """Why jobs wait (query.explain) or how they ended (query.ended), as ``viewer`` sees it. Raises NotFound."""
        sources, hosts = story.Sources(self._store, self._history), output.hosts(self._store)
        found = [(each, sources.target(each)) for each in selectors]
        alive, seen = self.queue.alive(), self._outlook.now()
        made: list[Row] = []
        for selector, target in found:
            lines = explain.waiting(target, alive, seen, zone, self._store)
            place = partial(output.place, job=target.job, hosts=hosts)
            more: list[str] = []
            started: list[Row] = []
            if target.ranks - RangeSet.parse(target.job.pending):
                usage = self.usage((selector._replace(step=None),))
                more, started = ended.told(selector, usage, lambda want: viewer.listed(self.history(want)), place, zone)
            made.append({"jobid": target.shown, "lines": [*lines, *more], "started": started})
        return made

    def dependents(self, selectors: Sequence[Selector]) -> list[Row]:
        """Return who waits for the jobs named. Raises NotFound for one that is not there."""
        found, missed = targets(tuple(selectors), self._store)
        if missed:
            raise NotFound(f"{missed[0].shown}: {missed[0].error.message}")
        return dependents(found, self.queue.live.current().jobs)

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
        chosen = listing.live(found, want._replace(past=False) if past else want, self._store)
        if past is None:
            return chosen, Total(len(chosen.lines) + len(chosen.rows))
        self._filing.wait()
        return listing.with_past(chosen, want, found.around.now - self._settings.window_s, past)

    def steps(self, selectors: Sequence[Selector], filters: Filters) -> list[Row]:
        """Steps of what runs."""
        records = show.step_rows(selectors, self.queue.alive(), self._store)
        return [row for row in records if row["state"] in HOLDING and filters.row(row)]

    def show(self, what: str, names: Sequence[str], selectors: Sequence[Selector]) -> list[Row]:
        """Records of jobs, steps, nodes, partitions, or the one of the configuration."""
        match what:
            case "job":
                return show.job_records(selectors, self.queue.alive(), self._store)
            case "step":
                return show.step_records(selectors, self.queue.alive(), self._store)
            case "node":
                by_name = {record["name"]: record for record in self.nodes()}
                return [by_name[name] for name in known_nodes(names, by_name) or by_name]
            case "partition":
                return show.named("partition", self.partitions(), names)
            case "lic":
                shot = self.queue.live.current()
                return show.named("licence", show.license_records(self._settings, shot.jobs, shot.elements), names)
            case "config":
                return [show.config_record(self._settings)]
        raise NotSupported(f"show {what[:60]} is not supported: there are job, step, node, partition and config")

    def nodes(self) -> list[Row]:
        """All nodes, by name."""
        settings = self._settings
        nodes = self._store.nodes()  # read there: when a node was heard of, and its load, are in no event
        return places.node_records(
            settings.nodes, nodes, settings.partitions.values(), self.queue.live.current().elements
        )

    def partitions(self) -> list[Row]:
        """All partitions, as configured."""
        by_name = {record["name"]: record for record in self.nodes()}
        default = self._settings.default_partition
        return [
            places.partition_record(each, by_name, each.name == default) for each in self._settings.partitions.values()
        ]

    def history(self, want: Query) -> listing.Listed:
        """Rows of runs, newest first: the history's, and the live ones that match."""
        live = self._live(want)
        rows = {(row["id"], row["run"]): row for row in live}
        filed: list[Row] = []
        if self._history:
            self._filing.wait()
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
            self._filing.wait()
            found = element_ids.together(found, self._history.elements(want))
        return element_ids.answer(found, want.limit)

    def arrays(self, want: Query) -> listing.Listed:
        """Arrays, newest first, with how many of their elements are in which state (service.query.array_summary)."""
        asked = listing.Wanted(want.selectors, listing.filters_of(want)._replace(states=frozenset()))
        chosen = listing.live(self.queue.alive(), asked, self._store)
        if self._history:
            self._filing.wait()
        return summaries(self._history, chosen, want)

    def usage(self, selectors: Sequence[Selector]) -> list[Row]:
        """Return what jobs used of what they held, in groups (``History.usage``); none for what never was."""
        want = listing.Wanted(tuple(selectors), past=self._history is None)
        chosen = listing.live(self.queue.alive(), want, self._store)
        found = [listing.used(row) for row in (*map(pending_row, chosen.lines), *chosen.rows)]
        if self._history:
            self._filing.wait()
            alive = listing.ids_of(chosen)
            found += self._history.usage(selectors, alive)
        return found

    def story(self, selectors: Sequence[Selector]) -> list[Row]:
        """Return what has happened to jobs, whether they live or not (service.query.story). Raises NotFound."""
        alive = self.queue.alive().elements  # before the history is asked: what ends meanwhile is in one of the two
        if self._history:
            self._filing.wait()
        return story.stories(selectors, story.Sources(self._store, self._history), alive)

    def output(self, selectors: Sequence[Selector], failed: int = 0) -> list[Row]:
        """Return where the output of jobs lies (service.query.output). Raises NotFound, Refused."""
        past = story.Sources(self._store, self._history)
        return output.outputs(selectors, past, lambda want: self.history(want).rows, failed)

    def _live(self, want: Query) -> list[Row]:
        filters = listing.filters_of(want)
        found = self.queue.alive()
        past = self._history is None and bool(filters.states & ENDED)
        asked = listing.Wanted(want.selectors, filters, past=past)
        rows = listing.rows_of(listing.live(found, asked, self._store), 0)
        rows = [row for row in rows if within(row, want)]
        if want.steps:
            for row in rows:
                row["steps"] = step_rows(row, self._store.steps(row["id"], row["run"]) if row["run"] else ())
        return rows

    def spans(self, texts: Mapping[str, str], zone: str) -> dict[str, Span]:
        """Intervals as typed, in the caller's zone (service.query.spans). Raises InputError."""
        return parse_spans(texts, datetime.fromtimestamp(self._store.now(), zone_of(zone)))

    def goals(self, selectors: Sequence[Selector]) -> list[progress.Goal]:
        """Return what somebody waits for."""
        return progress.goals(selectors, self._store, self._past)
