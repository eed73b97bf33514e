"""Arguments and answers of the scripts as records, and back: the flat forms that a script takes and gives. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from crane_celery import faults
from crane_celery.errors import InputError
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.requeue import policy_of
from crane_celery.model import dependency
from crane_celery.model.asjson import allocation_to_json, spec_to_json, step_to_json
from crane_celery.model.checks import finite
from crane_celery.model.dependency import Block, Facts
from crane_celery.model.event import Event
from crane_celery.model.event_checks import UNREADABLE, check_event, sifted
from crane_celery.model.job import JobSpec, StepRow
from crane_celery.store import bodies
from crane_celery.store.api import Began, Ended, Moved, Question, Report, Start, Submission
from crane_celery.store.bitmaps import ranks_of
from crane_celery.store.codec import dumps
from crane_celery.store.keys import idempotency

#: submissions accepted by one script call: they keep it far below 50 ms
ACCEPT, ACCEPT_BYTES = 64, 4 << 20
#: rows of a node's report taken by one script call
REPORT = 500
#: ranks that one script changes in many ranges: some 10 ms where no page is like another; characters of few ranges
WINDOW, _SHORT = 1 << 18, 500


def by(uid: int) -> str:
    """Return who asked, as the first members of an event's JSON object."""
    return f'"uid":{uid},' if uid >= 0 else ""


def portions(jobs: list[tuple[Submission, str]]) -> Iterator[list[tuple[Submission, str]]]:
    """Cut a batch so that no script call takes too many submissions or bytes."""
    portion: list[tuple[Submission, str]] = []
    size = 0
    for item in jobs:
        if portion and (len(portion) >= ACCEPT or size + len(item[0].body) > ACCEPT_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += len(item[0].body)
    if portion:
        yield portion


def accepted(portion: Sequence[tuple[Submission, str]]) -> list[str | bytes | int]:
    """Return a portion as the arguments of submit.lua: the shared pieces, each once, then the submissions.

    Raises InputError for a count below one.
    """
    numbers: dict[str, int] = {}
    pieces: list[str | bytes | int] = []
    rows: list[str | bytes | int] = []
    for job, key in portion:
        packed = bodies.pack(job.body)
        for digest, piece in packed.shared.items():
            if digest not in numbers:
                numbers[digest] = len(numbers) + 1
                pieces += [digest, piece]
        rows += _submission(job, key, packed.record)
        rows.append(",".join(str(numbers[digest]) for digest in packed.shared))
    return [len(numbers), *pieces, *rows]


def _submission(job: Submission, key: str, body: bytes) -> tuple[str | bytes | int, ...]:
    if job.count < 1:
        raise InputError(f"a submission of {job.count} elements: there must be at least one")
    pending = f"0-{job.count - 1}" if job.count > 1 else "0"
    spec = dumps(spec_to_json(job.spec))
    held = pending if job.held else ""
    array = int(bool(job.spec.array))
    known = f"{job.priority!r}", idempotency(key), body, job.spec.throttle
    owner = job.spec.uid, job.spec.partition
    return (spec, job.count, array, pending, held, job.dep, *known, *owner, *job.limits, policy(job.spec))


def policy(spec: JobSpec) -> str:
    """Return what follows a run's end, as the scripts read it."""
    return f"{policy_of(spec)}:{spec.max_requeue}:{spec.max_fails}"


def start_row(start: Start) -> tuple[Any, ...]:
    """A start as a row of start.lua."""
    job, rank, run, parts, guests = start
    text = dumps(allocation_to_json(parts))
    if len(parts) == 1:
        return job, rank, run, parts[0].node, text, 0
    return job, rank, run, parts[0].node, text, [part.node for part in parts[1:]], int(guests)


def reports(report: Report, most: int = REPORT) -> Iterator[Report]:
    """Cut a report so that no script call takes too many rows: what is told of one run stays in its order, and together
    where it can."""
    if sum(map(len, report)) <= most:
        yield report
        return
    places: dict[int, int] = {}
    told: list[tuple[int, int, Any]] = []
    kinds: list[Sequence[Any]] = [report.began, report.steps, report.moved, report.ended]  # as report.lua takes them
    for kind, some in enumerate(kinds):
        told += [(places.setdefault(_run_of(row), len(places)), kind, row) for row in some]
    told.sort(key=lambda each: each[:2])
    for at in range(0, len(told), most):
        cut: tuple[list[Any], ...] = ([], [], [], [])
        for _, kind, row in told[at : at + most]:
            cut[kind].append(row)
        began, steps, moved, ended = cut
        yield Report(began, ended, steps, moved)


def report_text(report: Report) -> str:
    """A report as report.lua takes it."""
    began = [(id_, run, f"{at:.6f}") for id_, run, at in report.began]
    ended = [
        (id_, run, state, code, f"{a:.6f}", f"{b:.6f}", dumps(reason) if reason else '""', f"{cpu:.6g}", *memory)
        for id_, run, state, code, a, b, reason, cpu, *memory in report.ended
    ]
    steps = [(s.job, s.run, s.step, int(s.ended_at > 0), dumps(step_to_json(s))) for s in report.steps]
    moved = [(id_, run, state, f"{at:.6f}") for id_, run, state, at in report.moved]
    return dumps({"began": began, "ended": ended, "steps": steps, "moved": moved})


def _run_of(row: Began | Ended | Moved | StepRow) -> int:
    """The plain id of the element that a row of a report is about."""
    return row.job if isinstance(row, StepRow) else row.id


def member(text: bytes) -> tuple[int, int]:
    """``id:run``."""
    id_, _, run = text.partition(b":")
    return int(id_), int(run)


def question(row: list[bytes]) -> Question:
    """A row of questions.lua."""
    job, text, values = int(row[0]), row[1].decode(), iter(row[2:])
    return Question(job, text, [(block, _facts(block, values)) for block in dependency.blocks_of(text)])


def _facts(block: Block, values: Iterator[bytes]) -> Facts:
    """Return what it tells of one block, taken off the row."""
    began, ended, ok, at, lost, last = (next(values) for _ in range(6))
    facts = Facts(int(began), int(ended), int(ok), float(at), int(lost), int(last) > 0)
    if block.kind != "aftercorr":
        return facts
    over = ranks_of(next(values), block.first % 8, block.count)
    return facts._replace(ended_ranks=over, ok_ranks=ranks_of(next(values), block.first % 8, block.count))


def events(entries: list[Any]) -> list[Event]:
    """Return entries as the server sends them: ``[id, [b"k", kinds, b"t", time, b"v", data]]``.

    An event that is not as it must be stands as one of the kind UNREADABLE: its reader goes on behind it.
    """
    found: list[Event] = []
    for seq, entry in entries:
        try:
            found += _entry(seq.decode(), *entry[1::2])
        except Exception:
            faults.record("an entry of the stream was passed over:", seq)
            found.append(Event(seq.decode(), 0.0, UNREADABLE, {"entry": ascii(entry)}))
    return found


def _entry(seq: str, kinds: bytes, at: bytes, data: bytes) -> list[Event]:
    when, values = float(at), json.loads(data)
    finite(when)
    named = zip(kinds.decode().split(","), values, strict=True)
    return [part for kind, value in named for part in _checked(Event(seq, when, kind, value))]


def _checked(event: Event) -> list[Event]:
    try:
        check_event(event.kind, event.data)
    except Exception:
        faults.record("an event of the stream was passed over, or rows of it:", f"{event.seq} {event.kind}")
        return sifted(event)
    return [event]


def pieces(ranks: str) -> list[str]:
    """The text of ranks for several scripts, so that none has to look at too many: those within each window. Few ranges
    stay together, and so does the empty text, which means all."""
    if len(ranks) < _SHORT:
        return [ranks]
    some = RangeSet.parse(ranks)
    windows = (some & RangeSet.span(at, at + WINDOW - 1) for at in range(0, some.last + 1, WINDOW))
    return [window.text for window in windows if window]
