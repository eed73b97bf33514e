"""Tables: a listing of 100,000 lines in the time of its text.

The gateway sends what is the same in all lines once, and what differs as one list for each key
(service.query.queue.table).
Here a column that is the same everywhere is laid out once, into a template, and the others are laid out as lists; no
line is looked at by itself.
"""

from __future__ import annotations

from cli.output.render import clean
from crane_celery.grammar.format import fit
from crane_celery.grammar.printable import width as columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from cli.output.render import Column, Field

    #: ``{"count": lines, "same": {key: value}, "each": {key: [value, ...]}}``
    Answer: TypeAlias = Mapping[str, Any]


class Text:
    """A cell that is the text of one key's value."""

    def __init__(self, key: str) -> None:
        """``key`` of a row."""
        self.key = key

    def __call__(self, row: Mapping[str, Any]) -> str:
        """The cell of a row."""
        return str(row[self.key])


def table(fields: Sequence[Field], answer: Answer, header: bool = True, cut: int = 0) -> Iterator[str]:
    """Yield the lines of a table by columns, header first.

    ``cut`` > 0 shortens longer cells without a width of their own to that many characters and ``...``.
    """
    cells = [_cells(field.column, answer) if field.column else "" for field in fields]
    return _laid_out(fields, cells, answer["count"], header, cut)


def lines(
    fields: Sequence[Field], rows: Iterable[Mapping[str, Any]], header: bool = True, cut: int = 0
) -> Iterator[str]:
    """Yield the lines of a table by rows, as ``table`` does."""
    kept = list(rows)
    cells = [[field.column.cell(row) for row in kept] if field.column else "" for field in fields]
    return _laid_out(fields, cells, len(kept), header, cut)


def _laid_out(
    fields: Sequence[Field], cells: Sequence[str | list[str]], count: int, header: bool, cut: int
) -> Iterator[str]:
    """Yield the header and ``count`` lines; a column's cells are one text where all lines have the same."""
    headers, template, lists = [], [], []
    for field, found in zip(fields, cells, strict=True):
        if field.column is None:
            headers.append(field.text)
            template.append(field.text.replace("%", "%%"))
            continue
        safe = _cleaned(found, 0 if field.column.whole else cut, field.width)
        title = field.column.header if header else ""
        width = _natural(field, title, safe)
        headers.append(_padded(title, field, width))
        if isinstance(safe, str):
            template.append(_padded(safe, field, width).replace("%", "%%"))
        else:
            plain = not field.width and all(map(str.isascii, safe))
            template.append(f"%{'' if field.right else '-'}{width}s" if plain and width else "%s")
            lists.append(safe if plain else [_padded(cell, field, width) for cell in safe])
    if header:
        yield "".join(headers).rstrip()
    line = "".join(template).rstrip()
    yield from map(str.rstrip, map(line.__mod__, zip(*lists, strict=True) if lists else [()] * count))


def _natural(field: Field, title: str, cells: str | list[str]) -> int:
    """The width of the widest cell, where cells are brought to it; else 0."""
    if field.width or not field.pad:
        return 0
    widest = columns(cells) if isinstance(cells, str) else max(map(columns, cells), default=0)
    return max(len(title), widest)


def _padded(cell: str, field: Field, natural: int) -> str:
    width = field.width or natural
    return fit(cell, width, field.right)


def _cells(column: Column, answer: Answer) -> str | list[str]:
    """The cells of a column: one text where all lines have the same."""
    same, each = answer["same"], answer["each"]
    varying = [key for key in column.keys if key in each]
    if not answer["count"]:
        return ""
    if not varying:
        return column.cell(same)
    if isinstance(column.cell, Text):
        return list(map(str, each[column.cell.key]))
    row, cells = {key: value for key, value in same.items() if key in column.keys}, []
    for values in zip(*(each[key] for key in varying), strict=True):
        row.update(zip(varying, values, strict=True))
        cells.append(column.cell(row))
    return cells


def _cleaned(cells: str | list[str], cut: int, width: int) -> str | list[str]:
    """Cells as ``clean`` makes them; nothing is done where none of them needs it."""
    if isinstance(cells, str):
        return clean(cells, cut, width)
    joined = "".join(cells)
    plain = joined.isascii() and joined.isprintable() and "\\" not in joined
    if plain and (not cut or width or max(map(len, cells), default=0) <= cut):
        return cells
    return [clean(cell, cut, width) for cell in cells]


def first(answer: Answer, limit: int) -> Answer:
    """The first lines."""
    each = {key: column[:limit] for key, column in answer["each"].items()}
    return {**answer, "count": min(limit, answer["count"]), "each": each}


#: what differs between the elements of a folded line
_OF_ELEMENTS = ("jobid", "indexes")
#: the same as numbers, by which lines are sorted
NUMBERS = ("id", "index")


def unfolded(answer: Answer, limit: int, numbers: bool = False) -> Answer:
    """A line for each element: nothing is made beyond the first ``limit``. Needs count, job, jobid and indexes; for
    ``numbers``, which are NUMBERS of each, ranks and those too."""
    counts, left = [], limit
    for count in values(answer, "count"):
        counts.append(min(count, left))
        left -= counts[-1]
    folded = zip(counts, *(values(answer, key) for key in ("count", "job", *_OF_ELEMENTS)), strict=True)
    ids: list[str] = []
    indexes: list[str] = []
    for shown, count, job, jobid, text in folded:
        inside = _indexes(text, shown) if count > 1 else [text] * shown
        ids += [f"{job}_{index}" for index in inside] if count > 1 else [jobid] * shown
        indexes += inside
    own = {"jobid": ids, "indexes": indexes, **(_numbers(answer, counts, indexes) if numbers else {})}
    each = {key: _repeated(column, counts) for key, column in answer["each"].items() if key not in own}
    same = {key: value for key, value in answer["same"].items() if key not in own}
    return {"count": len(ids), "same": same, "each": {**each, **own}}


def _numbers(answer: Answer, counts: list[int], indexes: list[str]) -> dict[str, list[Any]]:
    """The plain id and the index of each line."""
    from itertools import islice

    from crane_celery.grammar.ranges import RangeSet

    ids: list[int] = []
    for shown, count, job, first, ranks in zip(
        counts, *(values(answer, key) for key in ("count", "job", "id", "ranks")), strict=True
    ):
        ids += [job + rank for rank in islice(RangeSet.parse(ranks), shown)] if count > 1 else [first] * shown
    return dict(zip(NUMBERS, (ids, [int(index) if index else None for index in indexes]), strict=True))


def values(answer: Answer, key: str) -> list[Any]:
    """A key's value in each line."""
    found: list[Any] = answer["each"].get(key) or [answer["same"].get(key)] * answer["count"]
    return found


def _indexes(text: str, count: int) -> list[str]:
    """The first ``count`` of an index set."""
    from itertools import islice

    from crane_celery.grammar.array import IndexSet

    return [str(index) for index in islice(IndexSet.parse(text), count)]


def _repeated(column: list[Any], counts: list[int]) -> list[Any]:
    return [value for value, count in zip(column, counts, strict=True) for _ in range(count)]
