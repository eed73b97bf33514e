"""Which rooms of the last plan outlive it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crane_celery.sched.entry import Entry
from crane_celery.sched.queue import Kind
from crane_celery.sched.timeline import Hold


def rooms_of(holds: Sequence[Hold], entries: Mapping[int, Entry]) -> tuple[dict[Kind, list[Hold]], set[int]]:
    """The rooms of elements that still wait, by class; and the nodes of the others, which are given up."""
    kept: dict[Kind, list[Hold]] = {}
    free: set[int] = set()
    for hold in holds:
        entry = entries.get(hold.job)
        place = entry.part_of(hold.rank).queued if entry and hold.rank in entry.free else None
        if place is None:
            free.update(hold.nodes)
        else:
            kept.setdefault(place.kind, []).append(hold)
    return kept, free
