"""Define what is asked of the leader beside planning: by events, and by time alone. Data, and one pure question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import tagged
from crane_celery.sched.entry import Entry


@dataclass(slots=True)
class Todo:
    """Record of what events asked of the leader since it last looked."""

    plan: bool = False  # something may start that could not before
    due: bool = False  # a time has come for something
    ask: bool = False  # a dependency may have changed
    kills: dict[str, list[tuple[int, int, int, int]]] = field(default_factory=dict)  # node -> (id, run, signal, step)
    orders: dict[str, list[tuple[int, int, dict[str, float]]]] = field(
        default_factory=dict
    )  # node -> (id, run, wanted)
    resend: set[str] = field(default_factory=set)  # nodes whose unanswered launches are to be sent again


class Due(NamedTuple):
    """Ranks of a submission that a time has come for: "release" or "deadline"."""

    what: str
    job: int
    ranks: RangeSet


def due(entries: Iterable[Entry], now: float) -> Iterator[Due]:
    """Yield what time alone has decided by now: holds that end, and what is pending at its deadline."""
    for entry in entries:
        for some, at in tagged.decode(entry.job.until):
            if at <= now and (over := some & entry.held):
                yield Due("release", entry.job.id, over)
        for part in entry.parts:
            over = entry.pending if part.ranks is None else entry.pending & part.ranks
            if 0 < part.spec.deadline <= now and over:
                yield Due("deadline", entry.job.id, over)
