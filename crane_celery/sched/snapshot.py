"""A view of a snapshot. A record that cannot be taken is passed over and noted, so that all others are scheduled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node, Partition
from crane_celery.model.states import State
from crane_celery.sched.entry import Entry, Run
from crane_celery.sched.todo import Todo
from crane_celery.sched.view import View

_T = TypeVar("_T")


def view_of(
    partitions: Mapping[str, Partition],
    now: float,
    jobs: Iterable[Job],
    elements: Iterable[Element],
    nodes: Iterable[Node],
) -> View:
    """Return a view of these records; ``passed_over`` of it names those that could not be taken."""
    view = View(partitions)
    view.advance(now)

    def take(what: str, act: Callable[[View, _T], None], record: _T) -> None:
        try:
            act(view, record)
        except Exception as error:
            view.passed_over.append((what, error))

    for node in nodes:
        take(f"node {node.spec.name}", _add_node, node)
    for job in jobs:
        take(f"job {job.id}", _add_job, job)
    for element in elements:
        take(f"element {element.id}", _adopt, element)
    for entry in list(view.entries.values()):
        take(f"job {entry.job.id}", View.arrange, entry)
    view.todo = Todo(plan=True, ask=True, due=True, resend=set(view.starting))
    return view


def _add_node(view: View, node: Node) -> None:
    view.pool.put(node)


def _add_job(view: View, job: Job) -> None:
    view.entries[job.id] = Entry(job)


def _adopt(view: View, element: Element) -> None:
    """Account for a run that holds an allocation."""
    run = view.hold_run(Run(element.id, element.job, element.rank, element.run, element.allocation))
    if run is None:
        if element.job not in view.entries:
            view.strays.hold(element.id, element.run, element.allocation)
        return
    run.cancelled, run.guests = element.cancelled, element.guests
    run.begun = element.state is not State.STARTING
    run.since, run.suspended = element.began_at or element.leased_at, element.state is State.SUSPENDED
    run.paused_s = element.suspended_s
    view.work.expect(run)
    if run.begun:
        view.starting[run.node].pop(run.id)
