"""Traces in the Standard Workload Format: one job a line of 18 numbers, -1 for what is not known; ``;`` comments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from crane_celery.errors import InputError

_FIELDS = 18
_KB = 1024


class TraceJob(NamedTuple):
    """One job of a trace. Times are seconds."""

    number: int
    submit: float  # since the first submission of the trace
    run: float  # how long it ran
    limit: (
        int  # 0 = none; what its user asked for, never less than it ran: a system that kills at the limit saw to that
    )
    procs: int
    memory: int  # bytes for each processor, 0 = not known
    user: int


class Trace(NamedTuple):
    """The jobs in the order of their submission, and how many lines told of one that never ran."""

    jobs: list[TraceJob]
    left_out: int


def read(lines: Iterable[str], name: str, limit: int | None = None) -> Trace:
    """Read a trace, or its first ``limit`` jobs. InputError names the line that is malformed, or that there is none."""
    jobs: list[TraceJob] = []
    left_out = 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        job = _job(_numbers(line, f"{name}, line {number}"))
        if job is None:
            left_out += 1
            continue
        jobs.append(job)
        if len(jobs) == limit:
            break
    if not jobs:
        raise InputError(f"{name}: no job that ran: name a trace in the Standard Workload Format")
    return Trace(_from_zero(jobs), left_out)


def _numbers(line: str, where: str) -> Sequence[float]:
    """The fields of a line."""
    words = line.split()
    if len(words) != _FIELDS:
        raise InputError(f"{where}: {len(words)} fields where the Standard Workload Format has {_FIELDS}")
    for at, word in enumerate(words, 1):
        try:
            float(word)
        except ValueError:
            raise InputError(
                f"{where}: field {at} is {word[:40]!r}: write a number, -1 for what is not known"
            ) from None
    found = [float(word) for word in words]
    if not all(abs(value) < 1e15 for value in found):  # neither infinite nor not a number
        raise InputError(f"{where}: a number is beyond any trace: write -1 for what is not known")
    return found


def _job(row: Sequence[float]) -> TraceJob | None:
    """A line as a job; None when it never ran, or on nothing."""
    run, procs = row[3], row[4] if row[4] > 0 else row[7]
    if run < 0 or procs < 1 or row[1] < 0:
        return None
    memory = row[9] if row[9] > 0 else row[6]
    limit = max(int(row[8]), int(run) + (run > int(run)), 1)
    return TraceJob(int(row[0]), row[1], run, limit, int(procs), int(max(memory, 0) * _KB), max(int(row[11]), 0))


def _from_zero(jobs: list[TraceJob]) -> list[TraceJob]:
    ordered = sorted(jobs, key=lambda job: job.submit)
    first = ordered[0].submit
    return [job._replace(submit=job.submit - first) for job in ordered]
