"""Define what ``explain`` says of elements that have started or ended: how, where, when, with how much of what,
which limits
were reached, and where the output lies. The output itself is read by who asks, never here."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.hostlist import compress
from crane_celery.grammar.selector import Selector
from crane_celery.grammar.signals import signal_name
from crane_celery.history.api import Query
from crane_celery.history.rows import Row
from crane_celery.model.states import ENDED, SIGNAL_BASE, TERMINATED, State
from crane_celery.service.query.listing import Listed
from crane_celery.service.shared.time_zones import shown

#: of so many elements each is told about; of more, those that did not complete, and so many of them
FEW = 5
_STARTED = tuple(str(state) for state in State if state is not State.PENDING)
_BAD = tuple(str(state) for state in ENDED - {State.COMPLETED})
#: CPU seconds held from which on an efficiency is shown; the same in cli.ceff, which imports no service
_SHORTEST_S = 1.0
_MB = 1 << 20
_PRIVATE = "Memory and CPU: what others' jobs used is private here"


def told(
    selector: Selector, usage: Sequence[Row], history: Callable[[Query], Listed], where: Callable[[Row], Row], zone: str
) -> tuple[list[str], list[Row]]:
    """(lines about all that does not wait, a row for each element that is told about: where its output lies and
    ``lines``). ``usage``: groups of these elements (Service.usage); ``where``: the place of a row's output."""
    states: Counter[str] = Counter()
    for group in usage:
        if group["state"] != State.PENDING:
            states[group["state"]] += group["count"]
    number = states.total()
    if not number:
        return [], []
    lines = [f"{state}: {count} of its elements" for state, count in sorted(states.items())]
    few = number <= FEW
    want = Query(
        selectors=(selector._replace(step=None),),
        states=_STARTED if few else _BAD,
        limit=FEW,
        last=True,
        steps=False,
    )
    found = history(want)
    more = max(0, sum(states[state] for state in _BAD) - len(found.rows))
    if not few and more:
        lines.append(f"The newest {len(found.rows)} that did not complete follow, {more} more: see cacct -t")
    rows = sorted(found.rows, key=lambda row: int(row["id"]))
    return lines, [{**where(row), "lines": list(about(row, zone))} for row in rows]


def about(row: Row, zone: str) -> Iterator[str]:
    """The lines about one run; moments as the clocks of ``zone`` show them."""
    ended = row["state"] in ENDED
    yield f"{row['jobid']}: {_how(row) if ended else row['state']}{_on(row)}"
    if not row["run"] or not row["began_at"]:
        at = row["ended_at"] if ended else row["leased_at"]
        yield f"Never began; submitted {shown(row['submitted_at'], zone)}" + (
            f", {'ended' if ended else 'given its nodes'} {shown(at, zone)}" if at else ""
        )
        return
    yield from _times(row, zone)
    yield from _limits(row, zone)
    if ended:
        yield from (_memory(row), _processor(row)) if row["cpu_s"] is not None else (_PRIVATE,)
    if row["run"] > 1:
        yield f"Run: the {row['run']}th of it; ccontrol story {row['jobid']} has the others"


def _how(row: Row) -> str:
    """``Failed, exit code 3 (node down)``."""
    code, reason = row["code"], row["reason"]
    if SIGNAL_BASE < code < TERMINATED:
        said = f", signal {signal_name(code - SIGNAL_BASE)}"
    else:
        said = f", exit code {code}" if code < SIGNAL_BASE else ""
    return f"{row['state']}{said}{f' ({reason})' if reason and reason != 'None' else ''}"


def _on(row: Row) -> str:
    return f", on {compress(row['nodelist'])}" if row["nodelist"] else ""


def _times(row: Row, zone: str) -> Iterator[str]:
    """When it was submitted, began and ended, how long it waited and ran."""
    limit = format_duration(row["time_limit"])
    until = f"ended {shown(row['ended_at'], zone)}" if row["state"] in ENDED else "runs"
    waited = format_duration(max(0, int(row["began_at"] - row["submitted_at"])))
    yield f"Submitted {shown(row['submitted_at'], zone)}, began {shown(row['began_at'], zone)}, {until}"
    yield f"Waited {waited}, ran {format_duration(int(row['elapsed'] or 0))} of at most {limit}"


def _limits(row: Row, zone: str) -> Iterator[str]:
    """The limits that it reached."""
    state, deaths = row["state"], row["memory_deaths"]
    if state == State.TIMEOUT:
        yield f"Limit reached: time, {format_duration(row['time_limit'])}"
    if state == State.OOM or deaths:
        killed = f"; {deaths} process{'es were' if deaths > 1 else ' was'} killed for it" if deaths else ""
        yield f"Limit reached: memory, {size(row['alloc_memory'])} on a node{killed}"
    if state == State.DEADLINE:
        yield f"Limit reached: deadline, {shown(row['deadline'], zone)}"


def _memory(row: Row) -> str:
    """``Memory: used 299.9M of 300M``."""
    peak = row["memory_peak"]
    return f"Memory: used {size(peak)} of {size(row['alloc_memory'])}" if peak else "Memory: use not known"


def _processor(row: Row) -> str:
    """Return ``CPU: used 12.5 s of 60.0 s held (21%)``; no part of less than _SHORTEST_S, which tells nothing."""
    held = (row["elapsed"] or 0.0) * row["alloc_cpus"]
    part = f" ({100 * row['cpu_s'] / held:.0f}%)" if held >= _SHORTEST_S else ""
    return f"CPU: used {row['cpu_s']:.1f} s of {held:.1f} s held{part}"


def size(amount: int) -> str:
    """Memory in MB with a decimal where it is not whole: ``299.9M``; never rounded up to what it did not reach."""
    tenths = amount * 10 // _MB
    return f"{tenths // 10}M" if amount % _MB == 0 else f"{tenths / 10:.1f}M"
