"""Why something waits, for people: what it lacks in numbers, who is ahead and why, when it is expected to start. How it
ended: service.query.ended."""

from collections.abc import Iterator

from crane_celery.grammar.hostlist import compress
from crane_celery.grammar.memory import format_memory
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.model.states import Reason
from crane_celery.sched import fallout, reasons
from crane_celery.sched.entry import Entry, Part
from crane_celery.sched.forecast import Expected, ahead
from crane_celery.sched.plan import Why
from crane_celery.sched.timeline import Timeline
from crane_celery.sched.want import MILLI, Want
from crane_celery.service.query import dependency_text
from crane_celery.service.query.drained import drained_lines
from crane_celery.service.query.forecast import Seen
from crane_celery.service.query.job_rows import NOT_YET, Line, index_set, pending_lines
from crane_celery.service.query.queue import Alive
from crane_celery.service.shared.targets import Target
from crane_celery.service.shared.time_zones import shown
from crane_celery.store.api import Store

#: jobs ahead that are named
_NAMED = 5
#: characters of indexes in a line
_SHORT = 60
#: these wait for room, or for their turn
_IN_LINE = (Reason.NONE, Reason.RESOURCES, Reason.RESERVED, Reason.DRAINING, Reason.PRIORITY, Reason.NODES_DOWN)
#: no plan can tell when these end
_WHILE = {
    Reason.NONE: "the scheduler has not looked at it yet",
    Reason.HELD: "nothing of it starts until it is released",
    Reason.REQUEUE_LIMIT: "it was requeued too often, and starts once it is released",
    Reason.DEPENDENCY: "it starts once what it waits for has come true",
    Reason.NEVER: "what it waits for cannot come true any more",
    Reason.ARRAY_LIMIT: "as many of its elements are at work as it allows itself",
    Reason.LICENSES: "it starts once enough licences are given back",
    Reason.USER_LIMIT: "as many of its user's jobs are at work as allowed",
}


def waiting(target: Target, alive: Alive, seen: Seen, zone: str, store: Store) -> list[str]:
    """The lines about what waits of a target; times are as the clocks of ``zone`` show them."""
    found: list[str] = []
    for line in pending_lines(target.job, alive.around, target.ranks):
        found += lines(seen, line, seen.expected, _depends(line, store), zone)
    return found


def _depends(line: Line, store: Store) -> str:
    """Return what has not come true yet."""
    if not line.job.dep:
        return ""
    return dependency_text.show(*dependency_text.of_rank(line.job, line.ranks.first), store.ended_bits).pending


def lines(seen: Seen, line: Line, expected: dict[int, Expected], depends: str, zone: str) -> Iterator[str]:
    """About pending ranks that share a reason. ``depends``: what they wait for; ``zone``: of whoever asks."""
    why = line.why
    which = f" ({index_set(line.job.spec.array).text_of(line.ranks, _SHORT)})" if line.job.is_array else ""
    yield f"Pending{which}: {why.reason or NOT_YET}{_numbers(why)}"
    entry = seen.view.entries.get(line.job.id)
    if why.reason is Reason.BEGIN:
        yield f"Begin: not before {shown(max(line.spec.begin, line.job.ready), zone)}"
    elif why.reason in _WHILE:
        yield f"Until: {_WHILE[why.reason]}"
    if why.reason in (Reason.DEPENDENCY, Reason.NEVER) and depends:
        yield f"Waits for: {depends}"
    for some, at in tagged.decode(line.job.until) if why.reason is Reason.HELD else ():
        if some & line.ranks:
            yield f"Released: {shown(at, zone)}"
    if entry is not None and why.reason in _IN_LINE:
        yield from _in_line(seen, entry, part_of(entry, line.ranks))
        drained = drained_lines(seen, line.job.id, line.ranks)
        yield from drained
        yield start_line(expected.get(line.job.id + line.ranks.first), zone)


def reason_text(seen: Seen, job: int) -> str:
    """The reason of a submission, with the numbers."""
    why = reasons.explain(seen.view, seen.plan, job, seen.now)
    return f"{why.reason or Reason.PRIORITY}{_numbers(why)}"


def part_of(entry: Entry, ranks: RangeSet) -> Part:
    """The part that the first of these ranks is of."""
    return entry.part_of(ranks.first)


def _numbers(why: Why) -> str:
    """Return what was needed and what there is."""
    if why.needed <= 0 or why.what == "seconds":
        return ""
    if "memory" in why.what:
        needed, most = format_memory(int(why.needed)), format_memory(int(why.available))
        return f"; memory on one node: {needed} needed, {most} there"
    return f"; {why.what}: {why.needed:g} needed, {why.available:g} there"


def _in_line(seen: Seen, entry: Entry, part: Part) -> Iterator[str]:
    """Nodes, and who is ahead."""
    want = part.want
    yield f"Needs: {_wanted(want)}"
    pool = seen.view.pool.copy()
    for start in seen.plan.starts:
        if start.job != entry.job.id:
            pool.take(start.allocation)
    timeline = Timeline(seen.view.work.horizon, pool, seen.now, 0)
    for hold in seen.plan.holds:
        if hold.job != entry.job.id:
            timeline.keep(hold)
    counted = fallout.count(pool, want, lambda at, wanted: timeline.clear(at, wanted, seen.now))
    yield f"Room now: on {counted.room} of the {counted.nodes} nodes of partition {want.partition}"
    yield from (f"Not on {each.text}" for each in counted.fallouts)
    first = ahead(seen.view, seen.config, seen.now, entry.job.id, entry.parts.index(part))
    if first:
        more = f", and {len(first) - _NAMED} more" if len(first) > _NAMED else ""
        yield f"Ahead: {', '.join(f'{each.job} ({each.why})' for each in first[:_NAMED])}{more}"


def start_line(expected: Expected | None, zone: str) -> str:
    """When it is expected to start."""
    if expected is None:
        return "Expected start: unknown, since what it waits for has no time limit or too much is ahead"
    when = shown(expected.start, zone)
    return (
        f"Expected start: {when} on {compress(expected.nodes)}, if all ahead of it take the whole of their time limits"
    )


def _wanted(want: Want) -> str:
    """Return what it asks of each node."""
    memory = "all of its memory" if want.whole_memory else f"{format_memory(want.memory)} of memory"
    asked = [f"{want.cpu / MILLI:g} CPUs", memory]
    asked += [f"{count} {name}" for name, count in want.gres]
    each = f"{want.nodes} nodes with {', '.join(asked)} each" if want.nodes > 1 else f"a node with {', '.join(asked)}"
    named = [f"one of {compress(want.nodelist)}"] if want.nodelist else []
    named += [f"not {compress(want.exclude)}"] if want.exclude else []
    named += [f"features {want.constraint}"] if want.constraint else []
    named += ["nobody else on it"] if want.exclusive else []
    named += [f"licences {want.licenses}"] if want.licenses else []
    return "; ".join([each, *named])
