"""Define what was changed of a submission after it was accepted: fields of its specification, by ranks. Pure.

The text is JSON, ``[[ranks, {field: value}], ...]`` with disjoint ranges in the order of their first rank, so that it
costs the number of differing parts, never the number of elements. "" = nothing was changed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.fields.table import changeable
from crane_celery.model.job import Job, JobSpec

Fields = Mapping[str, Any]
#: fields of a specification that may be changed; all others never change
CHANGEABLE = changeable()
_LISTS = ("nodelist", "exclude")


@lru_cache(maxsize=4096)
def decode(changes: str) -> tuple[tuple[RangeSet, Fields], ...]:
    """The parts that differ from the submission; cached, so do not change what you get."""
    return tuple((RangeSet.parse(ranks), fields) for ranks, fields in json.loads(changes)) if changes else ()


def encode(parts: Iterator[tuple[RangeSet, Fields]]) -> str:
    """Back from ``decode``; parts without ranks or fields are left out, equal ones joined."""
    joined: dict[str, RangeSet] = {}
    for ranks, fields in parts:
        if ranks and fields:
            key = json.dumps(fields, sort_keys=True, separators=(",", ":"))
            joined[key] = joined.get(key, RangeSet()) | ranks
    rows = sorted((ranks.first, ranks.text, key) for key, ranks in joined.items())
    return "[" + ",".join(f'["{text}",{key}]' for _, text, key in rows) + "]" if rows else ""


def change(changes: str, ranks: RangeSet, fields: Fields) -> str:
    """``changes`` with these fields set for these ranks; later ones win. ValueError for a field that never changes."""
    if strange := fields.keys() - CHANGEABLE:
        raise ValueError(f"{sorted(strange)[0]} never changes")
    return encode(_merged(changes, ranks, fields))


def _merged(changes: str, ranks: RangeSet, fields: Fields) -> Iterator[tuple[RangeSet, Fields]]:
    left = ranks
    for part, old in decode(changes):
        yield part - ranks, old
        yield part & ranks, {**old, **fields}
        left -= part
    yield left, fields


def spec_parts(spec: JobSpec, changes: str, ranks: RangeSet) -> list[tuple[RangeSet, JobSpec]]:
    """These ranks by the specification that is in force for them, unchanged ones last; no empty parts."""
    found, left = [], ranks
    for part, fields in decode(changes):
        if some := part & ranks:
            found.append((some, changed(spec, fields)))
            left -= part
    return [*found, (left, spec)] if left else found


def spec_of(spec: JobSpec, changes: str, rank: int) -> JobSpec:
    """The specification in force for one rank."""
    for part, fields in decode(changes):
        if rank in part:
            return changed(spec, fields)
    return spec


def changed(spec: JobSpec, fields: Fields) -> JobSpec:
    """The specification with these fields (JSON values) in place of its own."""
    typed: Any = {name: tuple(value) if name in _LISTS else value for name, value in fields.items()}
    return replace(spec, **typed)


def update_of(job: Job, ranks: str, fields: Fields) -> dict[str, Any]:
    """The data of an ``update`` event: these fields for these ranks of a submission ("" = all)."""
    whole = RangeSet.span(0, job.count - 1)
    chosen = RangeSet.parse(ranks) & whole if ranks else whole
    return {"job": job.id, "ranks": chosen.text, "set": dict(fields), "changes": change(job.changes, chosen, fields)}


def updated(job: Job, data: Mapping[str, Any]) -> Job:
    """The submission after that event. A priority of all ranks is the submission's own too."""
    job = replace(job, changes=data["changes"])
    whole = data["ranks"] == RangeSet.span(0, job.count - 1).text
    return replace(job, priority=float(data["set"]["priority"])) if whole and "priority" in data["set"] else job


def dependent(job: Job, text: str) -> str:
    """``Job.changes`` with this text as the dependency of all of it."""
    return change(job.changes, RangeSet.span(0, job.count - 1), {"dependency": text})


def depended(job: Job, data: Mapping[str, Any]) -> Job:
    """The submission after a ``depend`` event."""
    changes, dep, ready = data["changes"], data["dep"], data["ready"]
    return replace(job, changes=changes, dep=dep, ready=ready, corr="", dead="", judged_at=0.0)
