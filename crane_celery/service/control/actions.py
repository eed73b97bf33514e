"""Controlling jobs: holding, changing, suspending, running again. Owners act on their own jobs, operators on all.

Every target is acted on by itself; what is refused changes nothing of it. Where the elements of one target differ, each
group of them has a line of its own (reference/slurm.md section 1.8).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crane_celery.errors import CraneError, Infeasible, InputError, Refused
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import target_text
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.model.overrides import changed, spec_of, spec_parts
from crane_celery.model.states import State
from crane_celery.model.weights import Priority
from crane_celery.sched import feasible
from crane_celery.sched.choices import SHAPE
from crane_celery.service.control import update_keys
from crane_celery.service.control.cancel import Outcome, own
from crane_celery.service.query.job_rows import index_set, priority
from crane_celery.service.query.live_records import Live
from crane_celery.service.shared.resolve import refuse_circle
from crane_celery.service.shared.targets import Missed, Target
from crane_celery.store.api import Changing, Store

#: jobs of one person that ``top`` lowers at most
MAX_LOWERED = 1000


class Who(NamedTuple):
    """Record of who acts, and on whose jobs they may."""

    uid: int
    operator: bool


class Site(NamedTuple):
    """Record of what the cluster offers, and the time in the caller's zone."""

    nodes: Mapping[str, NodeSpec]
    partitions: Mapping[str, Partition]
    now: datetime
    #: whether jobs may be requeued here at all
    requeues: bool = True


def each(targets: Sequence[Target], missed: Sequence[Missed], who: Who, act: Callable[[Target], Outcome]) -> Outcome:
    """Act on each target on its own; a failure of one does not keep the others."""
    done: list[str] = []
    failed = [(one.shown, one.error.message) for one in missed]
    for target in targets:
        try:
            own(target.job, who.uid, who.operator)
            if target.step is not None:
                raise Refused("a step cannot be controlled alone: name its job")
            outcome = act(target)
        except CraneError as error:
            failed.append((target.shown, error.message))
            continue
        done += outcome.done
        failed += outcome.failed
    return Outcome(done, failed)


def _split(target: Target, good: RangeSet, why: str) -> Outcome:
    """An outcome where only these ranks of a target were fit for it; of a whole submission the rest is no failure."""
    if not good:
        raise Refused(why)
    rest = target.ranks - good
    if not rest or target.whole:
        return Outcome([target.shown], [])
    return Outcome([_text(target.job, good)], [(_text(target.job, rest), why)])


def _text(job: Job, ranks: RangeSet) -> str:
    return target_text(job.id, index_set(job.spec.array).text_of(ranks) if job.is_array else "")


def hold(target: Target, on: bool, until: float, uid: int, store: Store) -> Outcome:
    """Hold or release pending ranks; ``until``: they are released by then, 0 = never."""
    pending = RangeSet.parse(target.job.pending) & target.ranks
    outcome = _split(target, pending, "Job was not found in pending queue")
    store.hold(target.job.id, "" if target.whole else target.ranks.text, on, until, uid)
    return outcome


def suspend(target: Target, on: bool, uid: int, store: Store, live: Live) -> Outcome:
    """Stop running elements where they are, or let them go on; the node does it, and tells."""
    there = live.running(target.job.id, target.ranks)
    states = (State.RUNNING,) if on else (State.SUSPENDED, State.RUNNING)
    fit = [element for element in there if element.state in states]
    told = [each.rank for each in fit if store.order(each.id, each.run, {"suspend": int(on)}, uid)]
    return _split(target, RangeSet.of(told), "Job is not running" if on else "Job is not suspended")


class Plan(NamedTuple):
    """Record of what an update sets for ranks of one specification."""

    ranks: RangeSet
    spec: JobSpec
    fields: dict[str, Any]


def update(
    target: Target,
    wanted: Mapping[str, str],
    who: Who,
    site: Site,
    encode: Callable[[str, Job], str],
    store: Store,
    live: Live,
) -> Outcome:
    """Set fields of a submission's ranks. ``encode``: a dependency as the store has it. Everything is checked before
    anything is done; what a running one has to know is ordered of its node. Raises CraneError."""
    job, running = target.job, live.running(target.job.id, target.ranks)
    pending = RangeSet.parse(job.pending) & target.ranks
    alive = pending | RangeSet.of([element.rank for element in running])
    if not alive:
        raise Refused("Job has already ended")
    plans, text = _planned(target, target.ranks, pending, wanted, who, site)
    dep = encode(text, job) if text else ""
    for some, fields in _joined(plans):
        store.update(job.id, some.text, fields, who.uid)
    if text is not None:
        _depend(job, text, dep, who.uid, store)
    _order(running, plans, store)
    return Outcome([target.shown], [])


def changing(
    target: Target,
    ranks: RangeSet,
    wanted: Mapping[str, str],
    who: Who,
    site: Site,
    encode: Callable[[str, Job], str],
) -> Changing:
    """Return what is set for these ranks of a target, which are to run again; what is of the whole array is set for
    all of it.
    Nothing is done. Raises CraneError."""
    plans, text = _planned(target, ranks, ranks, wanted, who, site)
    parts: list[tuple[str, Mapping[str, Any]]] = []
    for some, fields in _joined(plans):
        whole = {name: value for name, value in fields.items() if name in _OF_THE_WHOLE}
        own = {name: value for name, value in fields.items() if name not in whole}
        parts += [(text_of, each) for text_of, each in (("", whole), (some.text, own)) if each]
    return Changing(parts, None if text is None else (text, encode(text, target.job) if text else ""))


def _planned(
    target: Target, ranks: RangeSet, pending: RangeSet, wanted: Mapping[str, str], who: Who, site: Site
) -> tuple[list[Plan], str | None]:
    """Return what these ranks of a target are to have, by specification, and the dependency of the whole as typed
    (None = as
    it is). Raises CraneError."""
    job = target.job
    plans = [
        Plan(part, spec, fields)
        for some, spec in spec_parts(job.spec, job.changes, ranks)
        for part, fields in _fields(some, pending, update_keys.read(wanted, _ground(spec, who, site)), spec)
    ]
    text = next((plan.fields["dependency"] for plan in plans if "dependency" in plan.fields), None)
    for plan in plans:
        plan.fields.pop("dependency", None)
        _check(target, plan, site, who, text is not None)
    return plans, text


def _depend(job: Job, text: str, dep: str, uid: int, store: Store) -> None:
    """Give it the dependency, and take that back where another change at the same moment has closed a circle: whoever
    comes second sees it. Raises InputError."""
    store.depend(job.id, text, dep, uid)
    try:
        refuse_circle(job.id, dep, store)
    except InputError:
        store.depend(job.id, spec_of(job.spec, job.changes, 0).dependency, job.dep, uid)
        raise


def _ground(spec: JobSpec, who: Who, site: Site) -> update_keys.Ground:
    return update_keys.Ground(spec, site.now, site.nodes, site.partitions, who.operator)


def _fields(
    some: RangeSet, pending: RangeSet, found: Mapping[str, update_keys.Change], spec: JobSpec
) -> list[tuple[RangeSet, dict[str, Any]]]:
    """Return what is set for ranks of one specification: for all of them, and for the pending ones. Refused when a
    key is not
    for what has started and nothing is pending."""
    anyway: dict[str, Any] = {}
    waiting: dict[str, Any] = {}
    extra = json.loads(spec.extra) if spec.extra else {}
    for key, change in found.items():
        if change.pending_only and not pending:
            raise Refused(f"{key} can only be changed while a job is pending")
        if "extra" in change.fields:
            extra |= change.fields["extra"]
            anyway["extra"] = json.dumps(extra, sort_keys=True)
        else:
            (waiting if change.pending_only else anyway).update(change.fields)
    for fields in (anyway, waiting):
        if spec.choices and _SHAPE.intersection(fields):
            fields["choices"] = ""  # from now on it is as somebody has said
    if not some - pending:
        return [(some, anyway | waiting)]
    return [(some, anyway), (some & pending, waiting)] if some & pending else [(some, anyway)]


def _check(target: Target, plan: Plan, site: Site, who: Who, depends: bool) -> None:
    """Refuse what the cluster could never hold, and what is of a whole array where a part of it is named."""
    whole = sorted(_OF_THE_WHOLE & plan.fields.keys()) + ["dependency"] * depends
    if whole and not target.whole:
        raise Refused(f"{_TYPED.get(whole[0], whole[0])} is of the whole array: write {target.job.id}")
    if not plan.fields:
        return
    spec = changed(plan.spec, plan.fields)
    feasible.check(spec, site.nodes, site.partitions)
    most = site.partitions[spec.partition].max_time
    beyond = most is not None and (spec.time_limit is None or spec.time_limit > most)
    if beyond and not who.operator and plan.fields.keys() & {"time_limit", "partition"}:
        raise Infeasible(
            f"time limit {format_duration(spec.time_limit)} is beyond partition {spec.partition}'s maximum"
            f" {format_duration(most)}: write less, or ask an operator"
        )


_SHAPE = frozenset(SHAPE)
_OF_THE_WHOLE = frozenset({"throttle", "requeue", "max_fails"})
#: fields whose keys have another name
_TYPED = {"throttle": "arraytaskthrottle", "max_fails": "arraymaxfails"}


def _joined(plans: Sequence[Plan]) -> list[tuple[RangeSet, dict[str, Any]]]:
    """Parts that are set alike, as one: what is set for all of a submission is set in one step."""
    joined: list[tuple[RangeSet, dict[str, Any]]] = []
    for some, _, fields in plans:
        at = next((n for n, (_, old) in enumerate(joined) if old == fields), None)
        if at is not None:
            joined[at] = (joined[at][0] | some, fields)
        elif fields:
            joined.append((some, fields))
    return joined


def _order(running: Sequence[Element], plans: Sequence[Plan], store: Store) -> None:
    """Tell what runs of a new time limit or deadline."""
    told = {"time_limit": "limit", "deadline": "deadline"}
    for some, _, fields in plans:
        orders = {told[name]: float(value or 0) for name, value in fields.items() if name in told}
        for element in running if orders else ():
            if element.rank in some:
                store.order(element.id, element.run, orders)


def top(target: Target, jobs: Sequence[Job], uid: int, store: Store, weights: Priority) -> Outcome:
    """Put a pending job before all others of its owner, and before nobody else's: it gets the highest of their
    priorities, and those that could still be before it get less."""
    job = target.job
    if not RangeSet.parse(job.pending) & target.ranks:
        raise Refused("Job was not found in pending queue")
    others = [each for each in jobs if each.pending and each.spec.uid == job.spec.uid and each.id != job.id]
    others = [each for each in others if each.spec.partition == job.spec.partition]
    mine = priority(job, spec_of(job.spec, job.changes, target.ranks.first))
    best = max([mine, *(each.priority for each in others)])
    less = round(max(0.0, best - weights.apart), 1)
    lowered = [each for each in others if each.priority > less and (each.id < job.id or weights.size)]
    if len(lowered) > MAX_LOWERED:
        raise Refused(
            f"{len(lowered)} of your jobs are before it, and {MAX_LOWERED} at most are put behind: hold some of them"
        )
    for each in lowered:
        store.update(each.id, "", {"priority": less}, uid)
    if best > mine:
        store.update(job.id, "" if target.whole else target.ranks.text, {"priority": round(best, 1)}, uid)
    return Outcome([target.shown], [])
