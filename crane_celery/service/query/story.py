"""The story of a job: its life, from what was told of it and from its runs, however long ago.

Of a few elements each run is told; of more, how many ended how.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from crane_celery.errors import NotFound
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.grammar.signals import signal_name
from crane_celery.history.api import History
from crane_celery.history.rows import Row
from crane_celery.model.job import NEVER, Element, Job
from crane_celery.model.states import ENDED, SIGNAL_BASE, TERMINATED, State, show_deaths
from crane_celery.service.query.job_rows import index_set, live_row
from crane_celery.service.shared.targets import Target, target
from crane_celery.store.api import Store

#: of so many elements at most, each run is told
FEW = 20

Told = tuple[float, str]  # server time, text


class Sources:
    """Record of where submissions are looked for: among those that the store has, then among all that ever were."""

    def __init__(self, store: Store, history: History | None) -> None:
        """Without a history, there is only what the store has."""
        self.store = store
        self.history = history

    def job(self, job: int) -> Job | None:
        """One submission by its id."""
        found = self.find(job)
        return found if found and found.id == job else None

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""
        return self.store.find(id) or (self.history.job(id) if self.history else None)

    def known(self, id: int) -> bool:
        """Return whether this id was ever given out."""
        return self.store.known(id)

    def target(self, selector: Selector) -> Target:
        """Return what a selector means. Raises NotFound."""
        try:
            return target(selector, self)
        except NotFound as error:
            raise NotFound(f"{format_selector(selector)}: {error.message}") from error


class Material(NamedTuple):
    """All that a story is made of."""

    job: Job
    ranks: RangeSet
    #: what happened beside runs (History.told)
    told: Sequence[Row] = ()
    #: runs, each as a row
    runs: Sequence[Row] = ()
    #: ended runs, counted (History.sums)
    sums: Sequence[Row] = ()
    #: started elements of many
    live: Sequence[Element] = ()


def stories(selectors: Sequence[Selector], sources: Sources, alive: Mapping[int, Sequence[Element]]) -> list[Row]:
    """``[{jobid, events: [[server time, text], ...]}]``; ``alive``: started elements by submission. Raises NotFound."""
    found = []
    for selector in selectors:
        each = sources.target(selector)
        told = tell(material(each, sources, alive.get(each.job.id, ())))
        found.append({"jobid": each.shown, "events": [list(row) for row in told]})
    return found


def material(of: Target, sources: Sources, alive: Iterable[Element]) -> Material:
    """Return what is known of these elements."""
    job, history = of.job, sources.history
    ids = of.ranks.shifted(job.id)
    live = [each for each in alive if each.rank in of.ranks]
    found = Material(job, of.ranks, history.told(job.id) if history else ())
    if len(ids) > FEW:
        return found._replace(sums=history.sums(ids) if history else (), live=live)
    ended = history.runs(ids) if history else [live_row(job, each, 0.0) for each in sources.store.elements(ids)]
    rows = {(row["id"], row["run"]): row for row in (*(live_row(job, each, 0.0) for each in live), *ended)}
    return found._replace(runs=list(rows.values()))


def tell(known: Material) -> list[Told]:
    """The story, in the order of time."""
    told = [(known.job.submitted_at, _submitted(known.job)), *_beside(known), *_many(known)]
    for row in sorted(known.runs, key=lambda row: (row["id"], row["run"])):
        told += _run(row, f"{row['jobid']}: " if len(known.ranks) > 1 else "")
    return sorted(told, key=lambda each: each[0])


def _submitted(job: Job) -> str:
    spec = job.spec
    what = f", {job.count} elements {spec.array[:60]}" if job.is_array else ""
    waits = f", waits for {spec.dependency}" if spec.dependency else ""
    return f"submitted by {spec.user} to {spec.partition}{what}{waits}"


def _beside(known: Material) -> Iterator[Told]:
    everything = RangeSet.span(0, known.job.count - 1)
    for row in known.told:
        ranks = RangeSet.parse(row["ranks"]) if row["ranks"] else everything
        some = ranks & known.ranks
        if not some:
            continue
        which = ""
        if some != known.ranks and known.job.is_array:
            which = f"{known.job.id}_[{index_set(known.job.spec.array).text_of(some, 60)}]: "
        yield row["at"], which + _WORDS.get(row["kind"], _unknown)(row, known.job)


def _run(row: Row, who: str) -> Iterator[Told]:
    """One run: given its nodes, begun, ended."""
    run = f"{who}run {row['run']}"
    if row["leased_at"]:
        nodes = ",".join(row["nodelist"])
        yield row["leased_at"], f"{run} was given {row['alloc_cpus']:g} CPUs on {nodes}"
    if row["began_at"]:
        yield row["began_at"], f"{run} began"
    if row["state"] in ENDED and row["ended_at"]:
        # the two are estimated apart, and a short run's may cross
        at = max(row["ended_at"], row["began_at"], row["leased_at"])
        yield at, f"{run} ended {row['state']}{_code(row['code'])}{_why(_reason(row))}{_then(row)}"


def _reason(row: Row) -> str:
    """Why it ended so, and how many of its processes were killed because memory ran out."""
    return "; ".join(filter(None, (row["reason"], show_deaths(row["memory_deaths"]))))


def _many(known: Material) -> Iterator[Told]:
    if known.sums:
        yield min(row["leased_at"] for row in known.sums), "the first of its runs was given its node"
    for row in known.sums:
        each = "run" if row["count"] == 1 else "runs"
        yield row["ended_at"], f"the last of {row['count']} {each} that ended {row['state']}{_then(row)}"
    for state in sorted({each.state for each in known.live}):
        times = [each.leased_at for each in known.live if each.state == state]
        yield max(times), f"the last of {len(times)} that are {state} now was given its node"


def _then(row: Row) -> str:
    return ("", ", pending again", ", pending again and held")[row.get("again", 0)]


def _code(code: int) -> str:
    if SIGNAL_BASE < code < TERMINATED:
        return f", signal {signal_name(code - SIGNAL_BASE)}"
    return f", exit code {code}" if 0 < code < SIGNAL_BASE else ""


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _by(row: Row, job: Job) -> str:
    """By whom, where somebody said."""
    uid = row["by_uid"]
    if uid < 0:
        return ""
    return f" by {job.spec.user if uid == job.spec.uid else 'root' if uid == 0 else f'uid {uid}'}"


def _hold(row: Row, job: Job) -> str:
    until = row["detail"].get("until", 0)
    lasts = f" for {format_duration(round(until - row['at']))}" if until else ""
    return f"held{_by(row, job)}{lasts}"


def _judge(row: Row, _job: Job) -> str:
    ready = row["detail"]["ready"]
    if "requeued" in row["detail"]:
        return f"waits again: job {row['detail']['requeued']} was requeued"
    if ready == NEVER:
        return "its dependency can never be met"
    left = round(ready - row["at"])
    later = f", it may start {format_duration(left)} later" if left > 0 else ""
    return f"its dependency is met{later}"


def _update(row: Row, job: Job) -> str:
    said = {name: each for name, each in row["detail"].items() if name != "choices"}
    return f"changed{_by(row, job)}: " + ", ".join(f"{name}={_value(each)}" for name, each in said.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "none" if value is None or value == "" else str(value)


def _depend(row: Row, job: Job) -> str:
    text = row["detail"]["dependency"]
    by = f", changed{_by(row, job)}" if _by(row, job) else ""
    return (f"waits for {text}" if text else "waits for no other job any more") + by


def _revive(row: Row, job: Job) -> str:
    return f"requeued{_by(row, job)}: what had ended is pending again{' and held' if row['detail'] else ''}"


def _kill(row: Row, job: Job) -> str:
    number, then = row["detail"]["signal"], row["detail"].get("then", "")
    if then:
        return f"requeued{' and held' if then == 'hold' else ''}{_by(row, job)}: told to stop"
    return f"sent {signal_name(number)}{_by(row, job)}" if number else f"cancelled{_by(row, job)}: told to stop"


def _expire(row: Row, _job: Job) -> str:
    detail = row["detail"]
    return f"ended {detail.get('state', State.CANCELLED)} while pending{_why(detail.get('reason', ''))}"


def _unknown(row: Row, _job: Job) -> str:
    return str(row["kind"])


_WORDS = {
    "hold": _hold,
    "release": lambda row, job: f"released{_by(row, job)}",
    "judge": _judge,
    "update": _update,
    "depend": _depend,
    "cancel": lambda row, job: f"cancelled{_by(row, job)} while pending",
    "expire": _expire,
    "revive": _revive,
    "suspend": lambda row, job: f"suspended{_by(row, job)}",
    "resume": lambda row, job: f"resumed{_by(row, job)}" if _by(row, job) else "goes on",
    "kill": _kill,
}
