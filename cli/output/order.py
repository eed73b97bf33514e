"""The order of a listing's lines: by columns (``--sort``), or what waits under what it waits for (``--tree``)."""

from __future__ import annotations

from cli.output.table import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from cli.output.render import Column
    from cli.output.table import Answer

#: columns whose text does not sort as people count
_BY = {"jobid": "id", "indexes": "index"}


def sort_keys(text: str, columns: Mapping[str, Column]) -> list[tuple[str, bool]]:
    """(a row's key, whether from high to low) of ``-p,j``. Raises InputError for a column that there is not."""
    found = []
    for item in text.split(","):
        name = item.strip().lstrip("+-%")
        column = columns.get(name) or columns.get(name.lower() if len(name) > 1 else "")
        if column is None or not column.keys:
            from crane_celery.errors import InputError

            known = " ".join(name for name, column in columns.items() if column.keys)
            raise InputError(f"cannot sort by {item!r}: write columns such as -p,j; there are {known}")
        found.append((_BY.get(column.keys[0], column.keys[0]), item.strip().startswith("-")))
    return found


def sorted_by(answer: Answer, keys: Sequence[tuple[str, bool]]) -> Answer:
    """The lines in this order; equal ones keep theirs, what has no value comes last."""
    order = list(range(answer["count"]))
    for key, down in reversed(keys):
        column = answer["each"].get(key)
        if column:
            order.sort(key=column.__getitem__ if None not in column else _nothing_last(column, down), reverse=down)
    return picked(answer, order)


def _nothing_last(column: list[Any], down: bool) -> Any:
    return lambda at: ((column[at] is None) != down, column[at] if column[at] is not None else 0)


def picked(answer: Answer, order: Sequence[int]) -> Answer:
    """Some of the lines, in this order."""
    each = {key: [column[at] for at in order] for key, column in answer["each"].items()}
    return {**answer, "count": len(order), "each": each}


def tree(answer: Answer) -> Answer:
    """Return what waits stands under the first listed job that it waits for, indented. Needs job, jobid and depends."""
    jobs, shown = values(answer, "job"), values(answer, "jobid")
    lines: dict[int, list[int]] = {}
    for at, job in enumerate(jobs):
        lines.setdefault(job, []).append(at)
    below: dict[int, list[int]] = {}
    for job, parent in _parents(lines, values(answer, "depends")).items():
        below.setdefault(parent, []).append(job)
    order, names = [], []
    for job, depth in _walk(below):
        for at in lines[job]:
            order.append(at)
            names.append("  " * depth + shown[at])
    made = picked({**answer, "each": {**answer["each"], "jobid": shown}}, order)
    same = {key: value for key, value in answer["same"].items() if key != "jobid"}
    return {**made, "same": same, "each": {**made["each"], "jobid": names}}


def _parents(lines: Mapping[int, list[int]], depends: Sequence[str]) -> dict[int, int]:
    """Each listed job with the one that it stands under, 0 = none. A job waits for older ones only, mostly: where an
    update made it wait for a younger one, it stands on its own."""
    found = {}
    for job, [first, *_] in lines.items():
        older = (each for each in _named(depends[first]) if each in lines and each < job)
        found[job] = next(older, 0)
    return found


def _named(text: str) -> Iterator[int]:
    """The jobs that a dependency names."""
    import re

    return (int(number) for number in re.findall(r"(?a):(\d+)", text or ""))


def _walk(below: Mapping[int, list[int]]) -> Iterator[tuple[int, int]]:
    """Every job with its depth, a job before what stands under it."""
    stack = [(job, 0) for job in reversed(below.get(0, ()))]
    while stack:
        job, depth = stack.pop()
        yield job, depth
        stack += [(each, depth + 1) for each in reversed(below.get(job, ()))]
