"""From events to records: the one place that says what an event does to what is known.

The in-memory store and the records that a gateway keeps (service.query.live_records) change through nothing else; the
contract suite replays a server's stream and compares. What may follow what is lifecycle.machine's.

Applying an event twice gives the same records as applying it once, so a snapshot that already holds an effect may be
brought up to date safely. What lives outside the events: ``Node.heard_at`` and ``Node.load`` between transitions, and
the names of signals other than a cancel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.machine import Cause, may, step, worst
from crane_celery.model import tagged
from crane_celery.model.asjson import allocation_from_json, job_from_json, node_from_json, step_from_json
from crane_celery.model.event import EndRow, Event, ends
from crane_celery.model.job import Element, Job, StepRow, paused
from crane_celery.model.node import Node
from crane_celery.model.overrides import depended, updated
from crane_celery.model.states import HOLDING, TERMINATED, State


@dataclass(slots=True)
class Records:
    """Record of what is known: submissions and elements by id, nodes by name, steps by (element, run, step)."""

    jobs: dict[int, Job] = field(default_factory=dict)
    elements: dict[int, Element] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    steps: dict[tuple[int, int, int], StepRow] = field(default_factory=dict)
    fence: int = 0
    #: plain ids that reached Running, or ended without
    begun: set[int] = field(default_factory=set)


def of(jobs: Iterable[Job], elements: Iterable[Element], nodes: Iterable[Node]) -> Records:
    """Return these as records."""
    return Records(
        {job.id: job for job in jobs},
        {element.id: element for element in elements},
        {node.spec.name: node for node in nodes},
    )


def replay(events: Iterable[Event]) -> Records:
    """The records after these events, from nothing."""
    records = Records()
    for event in events:
        apply(records, event)
    return records


def apply(records: Records, event: Event) -> None:
    """Change the records by one event. A kind that is not known, or a job that is gone, is passed over."""
    rule = _RULES.get(event.kind)
    if rule:
        rule(records, event)


def drop_ended(records: Records, event: Event) -> None:
    """Forget the elements and submissions that an event has just ended: for who keeps only what is alive.

    Of what is left the counters (began, ended, ok, gone, the worst end) are those since the records were read, and too
    high where an event was applied whose effect these already held.
    """
    if event.kind in ("end", "again"):
        for id_, job_id, *_, last in event.data["rows"]:
            element = records.elements.get(id_)
            if element and element.state not in HOLDING:
                del records.elements[id_]
                records.begun.discard(id_)
            if event.kind == "end" and last:
                records.jobs.pop(job_id, None)
    elif event.kind == "cancel" and event.data["done"]:
        records.jobs.pop(event.data["job"], None)


def _submit(records: Records, event: Event) -> None:
    job = job_from_json(event.data["job"])
    records.jobs.setdefault(job.id, job)


def _judge(records: Records, event: Event) -> None:
    for (id_, ready), dep, (corr, dead) in judged(event):
        if job := records.jobs.get(id_):
            records.jobs[id_] = replace(job, ready=ready, dep=dep, corr=corr, dead=dead, judged_at=event.at)


def _depend(records: Records, event: Event) -> None:
    if job := records.jobs.get(event.data["job"]):
        records.jobs[job.id] = depended(job, event.data)


def judged(event: Event) -> Iterable[tuple[tuple[int, float], str, tuple[str, str]]]:
    """The rows of a verdict: (job, ready), dep, (corr, dead)."""
    rows, deps = event.data["rows"], event.data["deps"]
    return zip(rows, deps, event.data.get("gates") or [("", "")] * len(rows), strict=True)


def _hold(records: Records, event: Event) -> None:
    if job := records.jobs.get(event.data["job"]):
        held = RangeSet.parse(job.held)
        ranks = RangeSet.parse(event.data["ranks"])
        held = (held | ranks) & RangeSet.parse(job.pending) if event.kind == "hold" else held - ranks
        at = event.data.get("until", 0)
        until = tagged.tag(job.until, ranks, at) if at else tagged.untag(job.until, ranks)
        records.jobs[job.id] = replace(job, held=held.text, until=until)


def _cancel(records: Records, event: Event) -> None:
    job = records.jobs.get(event.data["job"])
    if not job:
        return
    pending = RangeSet.parse(job.pending)
    hit = pending & RangeSet.parse(event.data["ranks"])
    if not hit:
        return
    left, held = pending - hit, RangeSet.parse(job.held) - hit
    again, until = tagged.untag(job.again, hit), tagged.untag(job.until, hit)
    job = replace(job, pending=left.text, held=held.text, again=again, until=until, gone=job.gone + len(hit))
    state, code = State(event.data.get("state", State.CANCELLED)), event.data.get("code", TERMINATED)
    records.jobs[job.id] = _ended(job, {(state, code): len(hit)}, event.at if event.data["done"] else 0.0)


def _ended(job: Job, ways: Mapping[tuple[State, int], int], at: float) -> Job:
    """The submission after elements have ended; ``ways``: how many in each state with each code; ``at``: when the last
    of it ended, 0 = something of it is left."""
    return replace(
        job,
        ended=job.ended + sum(ways.values()),
        ok=job.ok + sum(n for (state, _), n in ways.items() if state == State.COMPLETED),
        worst_code=max(job.worst_code, *(code for _, code in ways)),
        worst_state=worst(job.worst_state, *(state for state, _ in ways)),
        ended_at=at or job.ended_at,
    )


def _start(records: Records, event: Event) -> None:
    started: dict[int, list[int]] = {}
    for id_, job_id, rank, run, parts in event.data["rows"]:
        old = records.elements.get(id_)
        if job_id not in records.jobs or (old and old.run >= run):
            continue
        started.setdefault(job_id, []).append(rank)
        records.elements[id_] = Element(
            id=id_,
            job=job_id,
            rank=rank,
            run=run,
            state=State.STARTING,
            allocation=allocation_from_json(parts),
            leased_at=event.at,
            guests=id_ in event.data.get("guests", ()),
        )
    for job_id, some in started.items():
        job, ranks = records.jobs[job_id], RangeSet.of(some)
        pending, again = RangeSet.parse(job.pending) - ranks, job.again and tagged.untag(job.again, ranks)
        records.jobs[job_id] = replace(job, pending=pending.text, again=again)


def _begin(records: Records, event: Event) -> None:
    first: dict[int, int] = {}
    for id_, job_id, run, at in event.data["rows"]:
        element = records.elements.get(id_)
        if element and element.run == run and may(element.state, Cause.BEGIN):
            records.elements[id_] = replace(element, state=step(element.state, Cause.BEGIN, State.RUNNING), began_at=at)
            if _begins_first(records, id_):
                first[job_id] = first.get(job_id, 0) + 1
    _count_begins(records, first)


def _begins_first(records: Records, id_: int) -> bool:
    """Note a begin; whether it is the element's first: it counts once, however often it runs."""
    if id_ in records.begun:
        return False
    records.begun.add(id_)
    return True


def _count_begins(records: Records, first: dict[int, int]) -> None:
    for job_id, n in first.items():
        if job := records.jobs.get(job_id):
            records.jobs[job_id] = replace(job, began=job.began + n)


def _end(records: Records, event: Event) -> None:
    ways: dict[int, Counter[tuple[State, int]]] = {}
    over: set[int] = set()
    first: dict[int, int] = {}
    for row in ends(event.data):
        if before := _end_run(records, row):
            if before.state == State.STARTING and _begins_first(records, row.id):
                first[row.job] = first.get(row.job, 0) + 1
            now = records.elements[row.id]
            ways.setdefault(row.job, Counter())[now.state, now.code] += 1
            if row.last:
                over.add(row.job)
    _count_begins(records, first)
    for job_id, some in ways.items():
        if job := records.jobs.get(job_id):
            records.jobs[job_id] = _ended(job, some, event.at if job_id in over else 0.0)


def _end_run(records: Records, row: EndRow) -> Element | None:
    """End a run as a row of an event says; the element as it was, None where the row is no news."""
    element = records.elements.get(row.id)
    if not element or element.run != row.run or not may(element.state, Cause.END):
        return None
    records.elements[row.id] = replace(
        element,
        state=step(element.state, Cause.END, State(row.state)),
        code=row.code,
        began_at=row.began_at,
        ended_at=row.ended_at,
        reason=row.reason,
        memory_deaths=row.memory_deaths,
    )
    return element


def _again(records: Records, event: Event) -> None:
    """Runs that ended, and are pending again."""
    for row in ends(event.data):
        element = _end_run(records, row)
        job = records.jobs.get(element.job) if element else None
        if not element or not job:
            continue
        one = RangeSet.of([element.rank])
        records.jobs[job.id] = replace(
            job,
            pending=(RangeSet.parse(job.pending) | one).text,
            held=(RangeSet.parse(job.held) | one).text if row.last else job.held,
            again=tagged.tag(job.again, one, element.run),
        )


def _revive(records: Records, event: Event) -> None:
    job = job_from_json(event.data["job"])
    records.jobs[job.id] = job


def _update(records: Records, event: Event) -> None:
    if job := records.jobs.get(event.data["job"]):
        records.jobs[job.id] = updated(job, event.data)


def _move(records: Records, event: Event) -> None:
    for id_, _job, run, state, at, *_by in event.data["rows"]:
        element = records.elements.get(id_)
        if element and element.run == run and may(element.state, cause_of(state)):
            records.elements[id_] = moved(element, State(state), at)


_CAUSES = {str(State.SUSPENDED): Cause.SUSPEND, str(State.COMPLETING): Cause.DRAIN}


def cause_of(state: str) -> Cause:
    """Return what brings a run that has begun into this state."""
    return _CAUSES.get(state, Cause.RESUME)


def moved(element: Element, state: State, at: float) -> Element:
    """Return the element in another state since ``at``: suspended, going on, completing; as it is where that is no
    news."""
    if element.state == state:
        return element
    if state == State.SUSPENDED:
        return replace(element, state=state, suspended_at=at)
    total = round(paused(element.suspended_s, element.suspended_at, at), 6)
    return replace(element, state=state, suspended_at=0.0, suspended_s=total)


def _step(records: Records, event: Event) -> None:
    for value in event.data["rows"]:
        step = step_from_json(value)
        old = records.steps.get((step.job, step.run, step.step))
        if not old or not old.ended_at:
            records.steps[step.job, step.run, step.step] = step


def _kill(records: Records, event: Event) -> None:
    for id_, run, _node, signal in event.data["rows"]:
        element = records.elements.get(id_)
        if element and element.run == run and signal == 0 and "then" not in event.data:
            records.elements[id_] = replace(element, cancelled=True)
        elif element and element.run == run and not element.cancelled and "then" in event.data:
            records.elements[id_] = replace(element, then=event.data["then"])


def _node(records: Records, event: Event) -> None:
    node = node_from_json(event.data["node"])
    known = records.nodes.get(node.spec.name)
    records.nodes[node.spec.name] = replace(node, load=known.load) if known else node


def _lead(records: Records, event: Event) -> None:
    records.fence = max(records.fence, event.data["fence"])


def _forget(records: Records, event: Event) -> None:
    for id_ in event.data["jobs"]:
        if job := records.jobs.pop(id_, None):
            gone = range(id_, id_ + job.count)
            for kept in [k for k in records.elements if k in gone]:
                del records.elements[kept]
            records.begun -= set(gone) & records.begun
            for key in [k for k in records.steps if k[0] in gone]:
                del records.steps[key]


_RULES = {
    "submit": _submit,
    "judge": _judge,
    "depend": _depend,
    "hold": _hold,
    "release": _hold,
    "cancel": _cancel,
    "start": _start,
    "begin": _begin,
    "end": _end,
    "again": _again,
    "revive": _revive,
    "update": _update,
    "move": _move,
    "step": _step,
    "kill": _kill,
    "node": _node,
    "lead": _lead,
    "forget": _forget,
}
