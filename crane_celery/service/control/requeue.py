"""Having jobs and elements run again that have ended, or are at work, in the same submission."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from crane_celery.errors import Refused
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector
from crane_celery.model.job import JobSpec
from crane_celery.model.overrides import spec_parts
from crane_celery.service.control.cancel import Outcome
from crane_celery.service.query.live_records import Live
from crane_celery.service.shared.resolve import Past
from crane_celery.service.shared.targets import Missed, Target
from crane_celery.service.submit.retry import left_server
from crane_celery.settings import Settings
from crane_celery.store.api import Changing, Requeue, Requeued, Store

#: characters of an id in a message
_SHORT = 60


class How(NamedTuple):
    """Record of what a requeue does."""

    #: what runs again is held
    hold: bool = False
    #: only what ended without completing; what is at work is left alone
    incomplete: bool = False
    #: with ``incomplete``: what is at work too
    running: bool = False
    #: what is changed of what runs again: keys and values of an update, times in this zone
    changes: Mapping[str, str] = {}
    zone: str = ""


class Result(NamedTuple):
    """Record of what a requeue of several jobs did."""

    done: list[str]
    failed: list[tuple[str, str]]  # (id as asked for, why not)
    #: what there is to say beside, in whole sentences
    notes: tuple[str, ...] = ()


class Left(NamedTuple):
    """Elements of a target that a requeue leaves as they are, or cannot reach."""

    pending: int
    completed: int
    at_work: int
    #: their records have left the server
    lost: int

    @property
    def text(self) -> str:
        """``80 have completed, 3 are pending``; "" for none."""
        parts = (
            (self.completed, "have completed", "has completed"),
            (self.at_work, "are at work", "is at work"),
            (self.pending, "are pending", "is pending"),
        )
        return ", ".join(f"{n} {one if n == 1 else many}" for n, many, one in parts if n)


#: of a target and the ranks that run again: what is changed of them; raises CraneError
Change = Callable[[Target, RangeSet], Changing]


def requeue(
    target: Target, how: How, requeues: bool, uid: int, store: Store, live: Live, notes: list[str], change: Change
) -> Outcome:
    """Have elements run again: what has ended is pending again at once, what is at work is stopped first. What had been
    cancelled before it started runs as well. Those that are held then include what was pending already.

    ``notes`` gets what there is to say beside; what is changed with it is checked before anything is done. Raises
    Refused where nothing of the target is to run again, and what ``change`` raises.
    """
    job = target.job
    for _, spec in spec_parts(job.spec, job.changes, target.ranks):
        _refuse(spec, requeues)
    pending = RangeSet.parse(job.pending) & target.ranks
    completed = store.outcome(job.id, job.count)[1] & target.ranks if how.incomplete else RangeSet()
    chosen, running = target.ranks - completed, how.running or not how.incomplete
    changing = None
    if how.changes:
        at_work = () if running else live.running(job.id, target.ranks)
        chosen -= pending | RangeSet.of(each.rank for each in at_work)
        changing = change(target, chosen) if chosen else None
    if how.hold and pending:
        store.hold(job.id, pending.text, True, uid=uid)
    ranks = "" if chosen == RangeSet.span(0, job.count - 1) else chosen.text
    done = Requeued(0, 0, [])
    if chosen:
        done = store.requeue(job.id, ranks, Requeue(how.hold, not how.incomplete, running, changing), uid)
    left = _left(target, pending, completed, done, running, store)
    if not done.ended and not done.running and not (how.hold and pending):
        raise Refused(_nothing(target, how, left))
    if how.incomplete and job.is_array:
        notes.append(_note(target, done, left))
    return Outcome([target.shown], [(target.shown, _lost(target, left.lost))] if left.lost else [])


def explained(
    missed: Sequence[Missed], selectors: Sequence[Selector], settings: Settings, store: Store, past: Past
) -> list[Missed]:
    """Return what is not there any more, with what can be done instead."""
    by_name = {format_selector(each): each for each in selectors}
    found = []
    for each in missed:
        selector = by_name[each.shown]
        if store.known(selector.job) and store.find(selector.job) is None:
            each = each._replace(error=left_server(selector, settings, store, past))
        found.append(each)
    return found


def _left(target: Target, pending: RangeSet, completed: RangeSet, done: Requeued, running: bool, store: Store) -> Left:
    """Return what was left, by the counts of before and after."""
    rest = len(target.ranks) - len(pending) - len(completed) - done.ended - len(done.running)
    if rest <= 0:
        return Left(len(pending), len(completed), 0, 0)
    lost = min(rest, len((target.ranks & store.outcome(target.job.id, target.job.count)[0]) - completed))
    return Left(len(pending), len(completed), 0 if running else rest - lost, lost)


def _nothing(target: Target, how: How, left: Left) -> str:
    """Why nothing of a target runs again."""
    if left.lost:
        return _lost(target, left.lost)
    if how.incomplete:
        return f"nothing of it has ended without completing: {left.text or 'it is over'}"
    return "Job is pending already" if left.pending else "Job not found or not running"


def _note(target: Target, done: Requeued, left: Left) -> str:
    """Return what was done, in numbers."""
    parts = []
    if done.ended:
        never = f" ({done.never} of them had never started)" if done.never else ""
        parts.append(f"{done.ended} run again{never}")
    if done.running:
        parts.append(f"{len(done.running)} at work are stopped and run again")
    rest = f"; {left.text}: left as they are" if left.text else ""
    return f"Of {_brief(target)}, {', '.join(parts)}{rest}."


def _lost(target: Target, lost: int) -> str:
    """Return what is said of elements whose records are gone."""
    again = f"cbatch --array-retry {_brief(target)}" if target.job.is_array else "submit it again"
    which = f"{lost} of its elements have" if len(target.ranks) > 1 else "it has"
    return f"{which} left the server, where the window of ended jobs is over: {again}"


def _brief(target: Target) -> str:
    return target.shown if len(target.shown) <= _SHORT else str(target.job.id)


def _refuse(spec: JobSpec, requeues: bool) -> None:
    if spec.kind == "Interactive":
        raise Refused("Interactive jobs cannot be requeued")
    if not requeues and spec.requeue != "failure":
        raise Refused("Job requeue is disabled by configuration")
    if spec.requeue == "never":
        raise Refused("Job requested no requeue")
