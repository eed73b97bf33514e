"""Cancelling: by id, element or property, and only what is one's own."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from crane_celery.errors import CraneError, Denied, NotFound, Refused
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import target_text
from crane_celery.model.job import Element, Job
from crane_celery.model.states import ENDED, PRIMARY_STEP, SCRIPT, State
from crane_celery.sched.closure import Waiter, downstream
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.job_rows import index_set, live_row, pending_rows
from crane_celery.service.query.live_records import Live
from crane_celery.service.query.queue import Alive
from crane_celery.service.shared.targets import Missed, Target
from crane_celery.store.api import Store


class How(NamedTuple):
    """Record of what a cancel sends."""

    #: 0 = TERM, grace, KILL, and what waits never starts; else this signal, to what runs
    signal: int = 0
    #: the signal goes to the script's own process alone, not to what it has started
    script: bool = False
    #: what can then never start is cancelled too
    cascade: bool = False


CANCEL = How()


class Outcome(NamedTuple):
    """Record of what a request on several jobs did."""

    done: list[str]
    failed: list[tuple[str, str]]  # (id as asked for, why not)
    #: jobs that can now never start
    never: int = 0


def matching(found: Alive, filters: Filters) -> list[Target]:
    """Targets of a cancel by property: of each job the pending and live ranks that pass."""
    chosen: list[Target] = []
    for job in found.jobs:
        if not filters.job(job):
            continue
        if job.id not in found.elements and not job.changes:
            if filters.pending:
                chosen.append(Target(str(job.id), job, RangeSet.parse(job.pending), True))
            continue
        rows = pending_rows(job, found.around)
        rows += [live_row(job, element, found.around.now) for element in found.elements.get(job.id, ())]
        passed = list(filter(filters.row, rows))
        if passed:
            ranks = _ranks(passed)
            whole = len(passed) == len(rows)
            shown = str(job.id) if whole else ",".join(target_text(job.id, row["indexes"]) for row in passed)
            chosen.append(Target(shown, job, ranks, whole))
    return chosen


def _ranks(rows: Iterable[dict[str, object]]) -> RangeSet:
    found = RangeSet()
    for row in rows:
        found |= RangeSet.parse(str(row.get("ranks", row["rank"])))
    return found


def narrowed(targets: Sequence[Target], found: Alive, filters: Filters) -> list[Target]:
    """Targets named by id, cut down to the ranks that pass the filters."""
    passing = {target.job.id: target.ranks for target in matching(found, filters)}
    cut = []
    for target in targets:
        ranks = target.ranks & passing.get(target.job.id, RangeSet())
        if ranks:
            cut.append(target._replace(ranks=ranks, whole=target.whole and ranks == target.ranks))
    return cut


def cancel(
    targets: Sequence[Target],
    missed: Sequence[Missed],
    uid: int,
    operator: bool,
    store: Store,
    live: Live,
    how: How = CANCEL,
) -> Outcome:
    """Cancel each target on its own; a failure of one does not keep the others."""
    done: list[str] = []
    failed = [(each.shown, each.error.message) for each in missed]
    gone: list[Target] = []
    bulk = _cancel_whole(targets, uid, operator, store) if not how.signal else {}
    waiting = sum(bulk.values())
    for target in targets:
        try:
            if target.job.id not in bulk:
                waiting += _cancel_one(target, uid, operator, store, live, how)
        except CraneError as error:
            failed.append((target.shown, error.message))
            continue
        done.append(target.shown)
        if target.step in (None, PRIMARY_STEP):
            gone.append(target)
    return Outcome(done, failed, len(doomed(live.current().jobs, gone)) if waiting and not how.signal else 0)


def _cancel_whole(targets: Sequence[Target], uid: int, operator: bool, store: Store) -> dict[int, int]:
    """Cancel what nothing has happened to yet, all together; for each of those, how many jobs wait on it."""
    ids = sorted({
        target.job.id
        for target in targets
        if target.whole and target.step is None and not target.job.ended_at and (operator or target.job.spec.uid == uid)
    })  # fmt: skip
    answers = store.cancel_whole(ids, uid) if len(ids) > 1 else []
    return {id_: waiting for id_, waiting in zip(ids, answers, strict=False) if waiting >= 0}


def _cancel_one(target: Target, uid: int, operator: bool, store: Store, live: Live, how: How) -> int:
    own(target.job, uid, operator)
    if target.step is not None and target.step != PRIMARY_STEP:
        return _stop_step(target, target.step, store, live, how.signal)
    if target.job.ended_at:
        raise Refused(f"Job has already ended{_how(target, store)}")
    if how.script:
        return _signal_script(target, store, live, how.signal)
    did = store.cancel(target.job.id, "" if target.whole else target.ranks.text, uid, how.signal)
    if not did.pending and not did.running:
        raise _nothing_runs(target, store)
    return did.waiting


def _how(target: Target, store: Store) -> str:
    """Return how a target has ended: the whole of a submission by its worst end, an element by its own while it is
    known."""
    if target.whole and target.job.ended_at:
        return f" ({target.job.worst_state or State.CANCELLED})"
    ended = store.elements([target.job.id + target.ranks.first]) if len(target.ranks) == 1 else []
    return f" ({ended[0].state})" if ended else ""


def _nothing_runs(target: Target, store: Store) -> Refused:
    waits = RangeSet.parse(target.job.pending) & target.ranks
    return Refused("Job is not running" if waits else f"Job has already ended{_how(target, store)}")


def _signal_script(target: Target, store: Store, live: Live, signal: int) -> int:
    """Signal the script of each run. Raises Refused where none runs."""
    for each in _running(target, store, live):
        store.stop_step(each.id, each.run, each.allocation[0].node, signal, SCRIPT)
    return 0


def _running(target: Target, store: Store, live: Live) -> list[Element]:
    """Return its runs. Raises Refused where there is none."""
    found = live.running(target.job.id, target.ranks)
    if not found:
        raise _nothing_runs(target, store)
    return found


def _stop_step(target: Target, step: int, store: Store, live: Live, signal: int) -> int:
    """Have one COMMON step of each run stopped. Raises Refused, NotFound."""
    rows = [row for run in _running(target, store, live) for row in store.steps(run.id, run.run) if row.step == step]
    if not rows:
        raise NotFound("Step not found")
    going = [row for row in rows if row.state not in ENDED]
    if not going:
        raise Refused(f"Step has already ended ({rows[0].state})")
    for row in going:
        store.stop_step(row.job, row.run, row.node, signal, step)
    return 0


def own(job: Job, uid: int, operator: bool) -> None:
    """Raise Denied for somebody else's job."""
    if job.spec.uid != uid and not operator:
        raise Denied("Permission Denied")


def doomed(jobs: Iterable[Job], gone: Sequence[Target]) -> list[Target]:
    """Return what of ``jobs`` can never start once these targets are cancelled, and what that takes along, and so
    on."""
    by_id = {job.id: job for job in jobs if job.pending}
    ranks: dict[int, RangeSet] = {}
    for target in gone:
        ranks[target.job.id] = ranks.get(target.job.id, RangeSet()) | target.ranks
    waiters = (Waiter(job.id, job.dep, RangeSet.parse(job.pending), job.count) for job in by_id.values() if job.dep)
    lost = downstream(ranks, waiters)
    more = ((id_, some - ranks.get(id_, RangeSet())) for id_, some in sorted(lost.items()))
    return [_target(by_id[id_], some) for id_, some in more if some and id_ in by_id]


def _target(job: Job, ranks: RangeSet) -> Target:
    whole = ranks == RangeSet.span(0, job.count - 1)
    shown = str(job.id)
    if not whole:
        text = index_set(job.spec.array).text_of(ranks)
        shown += f"_{text}" if text.isdigit() else f"_[{text}]"
    return Target(shown, job, ranks, whole)
