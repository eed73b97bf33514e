"""From events to records: the one place that says what an event does to what is known.

The in-memory store changes its records through nothing else; the contract suite replays a server's stream and compares;
``ccontrol story`` shows a job by it. Applying an event twice gives the same records as applying it once, so a snapshot
that already holds an effect may be brought up to date safely. What lives outside the events: ``Node.heard_at``
and ``Node.load`` between transitions, and the names of signals other than a cancel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.asjson import allocation_from_json, job_from_json, node_from_json, step_from_json
from crane_celery.model.event import Event, deaths_of
from crane_celery.model.job import Element, Job, StepRow, paused
from crane_celery.model.node import Node
from crane_celery.model.overrides import depended, updated
from crane_celery.model.states import HOLDING, TERMINATED, WORST, State


@dataclass(slots=True)
class Records:
    """What is known: submissions and elements by id, nodes by name, steps by (element, run, step)."""

    jobs: dict[int, Job] = field(default_factory=dict)
    elements: dict[int, Element] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    steps: dict[tuple[int, int, int], StepRow] = field(default_factory=dict)
    fence: int = 0
    #: plain ids that reached Running, or ended without
    begun: set[int] = field(default_factory=set)


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


def worse(one: State | None, other: State) -> State:
    """The worse of two final states; None = nothing ended yet."""
    return other if one is None or WORST.index(other) < WORST.index(one) else one


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
    records.jobs[job.id] = _ended(job, len(hit), state, code, event.at)


def _ended(job: Job, n: int, state: State, code: int, at: float) -> Job:
    ended = job.ended + n
    return replace(
        job,
        ended=ended,
        ok=job.ok + (n if state == State.COMPLETED else 0),
        worst_code=max(job.worst_code, code),
        worst_state=worse(job.worst_state, state),
        ended_at=at if ended == job.count else job.ended_at,
    )


def _start(records: Records, event: Event) -> None:
    for id_, job_id, rank, run, parts in event.data["rows"]:
        job, old = records.jobs.get(job_id), records.elements.get(id_)
        if not job or (old and old.run >= run):
            continue
        one = RangeSet.of([rank])
        pending, again = RangeSet.parse(job.pending) - one, tagged.untag(job.again, one)
        records.jobs[job_id] = replace(job, pending=pending.text, again=again)
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


def _begin(records: Records, event: Event) -> None:
    for id_, job_id, run, at in event.data["rows"]:
        element = records.elements.get(id_)
        if element and element.run == run and element.state == State.STARTING:
            records.elements[id_] = replace(element, state=State.RUNNING, began_at=at)
            _count_begin(records, id_, job_id)


def _count_begin(records: Records, id_: int, job_id: int) -> None:
    """An element begins once, however often it runs."""
    if id_ not in records.begun:
        records.begun.add(id_)
        records.jobs[job_id] = replace(records.jobs[job_id], began=records.jobs[job_id].began + 1)


def _end(records: Records, event: Event) -> None:
    for row in event.data["rows"]:
        _end_one(records, row, event.at)


def _end_one(records: Records, row: list[Any], at: float) -> None:
    id_, job_id, _rank, run, state, code, began_at, ended_at, reason, *_ = row
    element = records.elements.get(id_)
    if not element or element.run != run or element.state not in HOLDING:
        return
    if element.state == State.STARTING:
        _count_begin(records, id_, job_id)
    records.jobs[job_id] = _ended(records.jobs[job_id], 1, State(state), code, at)
    records.elements[id_] = replace(
        element,
        state=State(state),
        code=code,
        began_at=began_at,
        ended_at=ended_at,
        reason=reason,
        memory_deaths=deaths_of(row),
    )


def _again(records: Records, event: Event) -> None:
    """Runs that ended, and are pending again."""
    for row in event.data["rows"]:
        id_, job_id, rank, run, state, code, began_at, ended_at, reason, *_, held = row
        element, job = records.elements.get(id_), records.jobs.get(job_id)
        if not element or not job or element.run != run or element.state not in HOLDING:
            continue
        records.elements[id_] = replace(
            element,
            state=State(state),
            code=code,
            began_at=began_at,
            ended_at=ended_at,
            reason=reason,
            memory_deaths=deaths_of(row),
        )
        one = RangeSet.of([rank])
        records.jobs[job_id] = replace(
            job,
            pending=(RangeSet.parse(job.pending) | one).text,
            held=(RangeSet.parse(job.held) | one).text if held else job.held,
            again=tagged.tag(job.again, one, run),
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
        if element and element.run == run and element.state in (State.RUNNING, State.SUSPENDED):
            records.elements[id_] = moved(element, State(state), at)


def moved(element: Element, state: State, at: float) -> Element:
    """The element, suspended or going on since ``at``; as it is where that is no news."""
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
