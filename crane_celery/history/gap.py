"""Define what to do when events are gone that were never filed: ask the store for what it still knows.

That can only be after the database lost what it had filed (it was replaced, or restored from a backup), since the
stream is trimmed behind the recorder's cursor only. The events that are left are filed first; then, for each
submission that is alive, unfinished in the history, or newer than all it knows: what is neither pending nor filed must
have started or ended, so the store is asked for those elements. Found ones are filed as they are; the others of a
submission that the store still has were cancelled while pending. Runs that no one knows of any more end as
"status lost".
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.batch import Batch, Cancelled, Finished, Revived, Started
from crane_celery.history.filing import Filing
from crane_celery.history.schema import FINAL, REQUEUED
from crane_celery.model import tagged
from crane_celery.model.event import Position
from crane_celery.model.job import Element, Job
from crane_celery.model.states import ENDED, STATUS_LOST, State
from crane_celery.store.api import Snapshot, Store

_LOG = logging.getLogger(__name__)
_CHUNK = 1_000
_LOST = "its end fell into a gap of the event stream"


def is_open(at: Position, store: Store, consumer: str) -> bool:
    """Return whether events after ``at`` were trimmed: the store was told of a later cursor, and keeps nothing that
    old."""
    return at < Position.parse(store.cursor(consumer)) and at < Position.parse(store.first_event())


def close(store: Store, filing: Filing, snapshot: Snapshot) -> Batch:
    """Return what the history misses, given that all events up to the snapshot's are filed."""
    batch = Batch()
    known = {job.id: job for job in [*snapshot.jobs, *_newer(store, filing.last_id() + 1)]}
    unfinished = filing.unfinished()
    known |= {job.id: job for job in store.jobs(sorted(unfinished - known.keys()))}
    for job in known.values():
        _compare(batch, job, store, filing)
    _give_up(batch, snapshot, store, filing)
    for id in unfinished - known.keys():
        _LOG.error("submission %d left the store inside the gap: what of it was not filed is not known", id)
        batch.done[id] = snapshot.now
    return batch


def _newer(store: Store, id: int) -> Iterator[Job]:
    """Submissions from this id on, as far as ids were given out."""
    while store.known(id):
        yield from store.jobs(range(id, id + _CHUNK))
        id += _CHUNK


def _compare(batch: Batch, job: Job, store: Store, filing: Filing) -> None:
    """File of one submission what is missing."""
    batch.submissions[job.id] = job
    batch.changes[job.id] = job.changes
    _take_back(batch, job, store)
    missing = RangeSet.span(0, job.count - 1) - RangeSet.parse(job.pending) - filing.filed_ranks(job.id, job.count)
    found: list[int] = []
    for ids in _chunks(job.id + rank for rank in missing):
        for element in store.elements(ids):
            found.append(element.rank)
            _take(batch, element)
    never = missing - RangeSet.of(found)
    if never:
        batch.cancelled.append(Cancelled(job.id, never, job.ended_at or job.submitted_at, job.spec.uid))
    if job.ended_at:
        batch.done[job.id] = job.ended_at


def _take_back(batch: Batch, job: Job, store: Store) -> None:
    """File elements that are pending and ran before: their last run is filed, and was not the end of it."""
    again = RangeSet()
    for ranks, _run in tagged.decode(job.again):
        again |= ranks & RangeSet.parse(job.pending)
    if again:
        batch.revived.append(Revived(job.id, again, REQUEUED))
    for ids in _chunks(job.id + rank for rank in again):
        for element in store.elements(ids):
            _take(batch, element, REQUEUED)
    if not job.ended_at:
        batch.done[job.id] = 0.0


def _take(batch: Batch, element: Element, again: int = FINAL) -> None:
    key = (element.id, element.run)
    held = [
        [a.node, a.cpus, a.memory, {name: list(slots) for name, slots in a.gres.items()}] for a in element.allocation
    ]
    batch.started[key] = Started(element.job, element.rank, element.leased_at, held)
    if element.state in ENDED:
        batch.finished[key] = Finished(
            *(element.job, element.rank, str(element.state), element.code, element.began_at, element.ended_at),
            *(element.reason, 0.0, 0, again, element.paused(element.ended_at), element.memory_deaths),
        )


def _give_up(batch: Batch, snapshot: Snapshot, store: Store, filing: Filing) -> None:
    """Open runs that the store does not know any more, or of which it knows a later run, have ended unseen."""
    running = {(element.id, element.run) for element in snapshot.elements}
    unsure = {key: open_run for key, open_run in filing.open_runs().items() if key not in running}
    for ids in _chunks(sorted({id for id, _ in unsure})):
        for element in store.elements(ids):
            if (element.id, element.run) in unsure and (element.id, element.run) not in batch.finished:
                _take(batch, element)
    for key, (job, rank) in unsure.items():
        if key not in batch.started:
            failed = Finished(job, rank, State.FAILED.value, STATUS_LOST, 0.0, snapshot.now, _LOST, 0.0, 0)
            batch.finished.setdefault(key, failed)


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
