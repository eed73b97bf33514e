"""Elements by the ids under which commands take them: ``53_[3,53,103]``, one of each array. Pure."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import target_text
from crane_celery.history.gone import descending
from crane_celery.history.rows import Row
from crane_celery.service.query.job_rows import index_set

#: submission -> (its index text, "" for a plain job, ranks)
Elements = Mapping[int, tuple[str, RangeSet]]


def of_rows(rows: Iterable[Row]) -> dict[int, tuple[str, RangeSet]]:
    """The elements of rows, folded ones too."""
    arrays: dict[int, str] = {}
    spans: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        arrays[row["job"]] = row["array"]
        spans.setdefault(row["job"], []).extend(RangeSet.parse(row["ranks"]).spans())
    return {job: (arrays[job], RangeSet(some)) for job, some in spans.items()}


def together(one: Elements, other: Elements) -> dict[int, tuple[str, RangeSet]]:
    """The elements that are in any of the two."""
    found = dict(one)
    for job, (array, ranks) in other.items():
        known = found.get(job)
        found[job] = (known[0] or array, known[1] | ranks) if known else (array, ranks)
    return found


def answer(found: Elements, limit: int) -> dict[str, Any]:
    """The ids of the ``limit`` newest (0 = all), newest first: ``{ids, shown, total}``, both numbers of elements."""
    ids: list[str] = []
    total = sum(len(ranks) for _, ranks in found.values())
    room = shown = min(limit or total, total)
    for job in sorted(found, reverse=True):
        array, ranks = found[job]
        if room <= 0:
            break
        if len(ranks) > room:
            ranks = RangeSet.of(islice(descending(ranks), room))
        room -= len(ranks)
        ids.append(target_text(job, index_set(array).text_of(ranks) if array else ""))
    return {"ids": ids, "shown": shown, "total": total}
