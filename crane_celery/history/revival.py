"""Ends on file that are taken back: what had ended is pending again.

Costs the runs and cancels on file that this is about, whatever the pattern of the ranks and however many never ran.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone
from crane_celery.history.batch import Cancelled, Revived, without
from crane_celery.history.schema import CANCELLED, FINAL, RUN

#: more ranges than this are first compared with the runs that there are
_FEW = 100
#: rows that are written at once
_CHUNK = 1_000


def take_back(db: Connection, revived: Sequence[Revived]) -> list[Cancelled]:
    """Runs are followed by another one, and cancels are deleted; returns what is left of those, to be written."""
    rows = (
        {"b_low": low, "b_high": high, "b_again": each.again} for each in revived for low, high in _reaches(db, each)
    )
    while some := list(islice(rows, _CHUNK)):
        db.execute(_AGAIN, some)
    ranks: dict[int, RangeSet] = {}
    for each in revived:
        ranks[each.job] = ranks.get(each.job, RangeSet()) | each.ranks
    return [left for job, some in ranks.items() for left in _cut(db, job, some)]


_AGAIN = (
    update(RUN)
    .where(RUN.c.id.between(bindparam("b_low"), bindparam("b_high")), RUN.c.again == FINAL)
    .values(again=bindparam("b_again"))
)
_DELETE = delete(CANCELLED).where(CANCELLED.c.job == bindparam("b_job"), CANCELLED.c.last == bindparam("b_last"))


def _cut(db: Connection, job: int, ranks: RangeSet) -> list[Cancelled]:
    """Delete the cancels that some of these ranks are in; what is left of them."""
    near = CANCELLED.c.job == job, CANCELLED.c.first <= ranks.last, CANCELLED.c.last >= ranks.first
    before = [_cancelled(row) for row in db.execute(select(CANCELLED).where(*near))]
    changed = [(each, left) for each in before if (left := without(each, job, ranks)) is not each]
    if changed:
        db.execute(_DELETE, [{"b_job": job, "b_last": each.ranks.last} for each, _ in changed])
    return [left for _, left in changed if left]


def _cancelled(row: Row[Any]) -> Cancelled:
    fields = {name: getattr(row, name) for name in Cancelled._fields}
    return Cancelled(**fields | {"ranks": gone.ranks_of(row)})


def _reaches(db: Connection, revived: Revived) -> Iterable[tuple[int, int]]:
    """Ranges of plain ids that hold the last runs of these ranks, and no others."""
    job, ranks = revived.job, revived.ranks
    if len(list(islice(ranks.spans(), _FEW + 1))) > _FEW:
        between = RUN.c.id.between(job + ranks.first, job + ranks.last)
        ranks &= RangeSet.of(db.scalars(select(RUN.c.rank).where(between, RUN.c.again == FINAL)).all())
    return ((job + low, job + high) for low, high in ranks.spans())
