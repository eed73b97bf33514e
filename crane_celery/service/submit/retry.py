"""``cbatch --array-retry``: those elements of an array again that ended and did not complete, their indexes kept."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from crane_celery.errors import Denied, InputError, NotFound, Refused
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.model.body import picked, split
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.service.shared.caller import Caller
from crane_celery.service.shared.resolve import Past, element_ranks
from crane_celery.service.shared.targets import Target, target
from crane_celery.service.submit.accept import BASE_PRIORITY, Accepted, limits_of
from crane_celery.settings import Settings
from crane_celery.store.api import Store, Submission


class Left(NamedTuple):
    """Record of what a retry of an array is made from."""

    ranks: RangeSet  # ended, and not completed
    alive: int  # not ended yet


class Changed(NamedTuple):
    """The specification of a retry with other options than before."""

    spec: JobSpec
    dep: str = ""
    notices: tuple[str, ...] = ()


def retry(
    caller: Caller,
    selector: Selector,
    held: bool,
    key: str,
    settings: Settings,
    store: Store,
    past: Past,
    running: Callable[[int, RangeSet], Sequence[Element]],
    change: Callable[[JobSpec], Changed] = Changed,
) -> Accepted:
    """Submit again what is left of ``selector``, an array or elements of one.

    Script, arguments and environment are those of the first submission, options as well but for what ``change`` makes
    of them; its begin and its dependency are over. ``running``: what of these ranks of a submission holds resources.
    Raises NotFound (with the indexes to submit by hand where the script has left the server), Denied, InputError,
    Refused when nothing is left, LimitReached, and what ``change`` raises.
    """
    shown = format_selector(selector)
    if selector.step is not None:
        raise InputError(f"{shown} is a step: name its array, {selector.job}")
    if store.job(selector.job) is None and store.find(selector.job) is None:
        raise left_server(selector, settings, store, past)
    chosen = target(selector, store)
    if chosen.job.spec.uid != caller.uid:
        raise Denied(f"job {shown} is {chosen.job.spec.user}'s: only its owner can submit it again")
    if not chosen.job.is_array:
        raise InputError(f"job {shown} is no array: ccontrol requeue {shown}, or submit it again")
    left = left_of(chosen, store, running)
    if not left.ranks:
        waits = f", {left.alive} have not ended" if left.alive else ""
        raise Refused(f"nothing of {shown} is to be run again: what has ended of it has completed{waits}")
    body = store.body(chosen.job.id)
    if body is None:
        raise left_server(selector, settings, store, past)
    notices = [f"{left.alive} elements of {shown} have not ended: they are left as they are"] if left.alive else []
    made = change(_spec_of(chosen.job, left.ranks))
    submission = _again(made, len(left.ranks), _body_of(body, left.ranks), held, settings)
    ids = store.submit([submission], [f"{caller.uid}:{key}:0" if key else ""])
    return Accepted(ids, [*notices, *made.notices])


def left_of(chosen: Target, store: Store, running: Callable[[int, RangeSet], Sequence[Element]]) -> Left:
    """Which of these ranks ended without completing."""
    job = chosen.job
    alive = RangeSet.parse(job.pending) if job.pending else RangeSet()
    if job.ended < job.count:
        alive |= RangeSet.of(run.rank for run in running(job.id, chosen.ranks))
    ranks = chosen.ranks - alive - store.outcome(job.id, job.count)[1]
    return Left(ranks, len(chosen.ranks & alive))


def _spec_of(job: Job, ranks: RangeSet) -> JobSpec:
    """Return what these elements were to be."""
    return replace(job.spec, array=_indexes(job.spec.array, ranks), begin=0.0, deadline=0.0, dependency="")


def _body_of(body: bytes, ranks: RangeSet) -> bytes:
    """The script and environment of these elements."""
    head, items = split(body)
    return head + b"\n" + picked(items, list(ranks)) if items else body


def _again(made: Changed, count: int, body: bytes, held: bool, settings: Settings) -> Submission:
    """The submission of these elements. Raises NotFound."""
    spec = replace(made.spec, body=hashlib.sha256(body).hexdigest())
    if spec.partition not in settings.partitions:
        raise NotFound(f"partition {spec.partition!r} is no more: name another with --partition")
    limits = limits_of(spec, settings)
    return Submission(spec, count, body, made.dep, held, BASE_PRIORITY + spec.priority, limits)


def _indexes(array: str, ranks: RangeSet) -> str:
    indexes = IndexSet.parse(array)
    return IndexSet.parse(indexes.text_of(ranks)).text


def left_server(selector: Selector, settings: Settings, store: Store, past: Past) -> NotFound:
    """The script is not there any more; what can be said is which elements to submit."""
    shown = format_selector(selector)
    array = past.array_of(selector.job) if store.known(selector.job) else ""
    if not array and store.known(selector.job):
        return NotFound(
            f"job {shown} has left the server (Window: {settings.window_s:g} s after its end): submit it again"
        )
    if not array:
        return NotFound(f"there is no array {shown}; see cqueue and cacct for what there is")
    count = len(IndexSet.parse(array))
    ranks = element_ranks(selector.job, array, selector.part) if selector.part else RangeSet.span(0, count - 1)
    left = ranks - store.outcome(selector.job, count)[1]
    if not left:
        return NotFound(f"nothing of {shown} is to be run again: all of it has completed")
    return NotFound(
        f"the script of array {shown} has left the server (Window: {settings.window_s:g} s after its end): submit it"
        f" again with --array={_indexes(array, left)}"
    )
