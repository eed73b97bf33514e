"""Queries as SQL: which runs, which cancels. Pure expressions, no connection.

The inner select finds (id, run) among what one index holds and cuts to the limit; only those rows are then joined with
their submission and allocation. So a search among a million runs reads index entries, and at most ``limit`` rows. Which
way is shortest depends on how much matches, which ``few_submissions`` and ``wide`` count, up to a bound.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import sifting
from crane_celery.history.api import ANY_TIME, Query, Span
from crane_celery.history.schema import ALLOCATION, ALLOCATION_NODE, CANCELLED, FINAL, PERSON, RUN, SUBMISSION
from crane_celery.model.fields.table import searched

#: more ranges of ids than this are looked up in a mask, which has a byte for each id from the first to the last
MAX_RANGES = 100
#: where that would be more bytes than this, what is between the first and the last is sifted while reading
MAX_MASK = 1 << 22
#: more matches than this are not gathered first and sorted then
MANY = 50_000
#: the kind of job that a record does not mention
USUAL_KIND = "Batch"


class Way(Enum):
    """Record of how runs are looked for."""

    BY_INDEX = "what users, states and times say, by an index of runs; the newest of it"
    NEWEST_FIRST = "all runs from the newest on, until there are enough"
    BY_SUBMISSION = "submissions by name or time, and their runs"


def matching_runs(want: Query, ids: RangeSet | None, way: Way) -> Select[Any]:
    """(id, run) of the runs that match, in no order; ``ids`` None = any id."""
    inner = select(RUN.c.id, RUN.c.run)
    if way is Way.BY_SUBMISSION:
        inner = inner.select_from(SUBMISSION.join(RUN, _OF_BLOCK)).where(*_submissions(want))
        return inner.where(*_run_conditions(want, ids, _WALKED, apart=True))
    return inner.where(*_run_conditions(want, ids, _WALKED if way is Way.NEWEST_FIRST else _RUNS))


def find_runs(want: Query, ids: RangeSet | None, way: Way = Way.BY_INDEX) -> Select[Any]:
    """Runs with their submission and allocation, newest first. ``ids`` None = any id."""
    inner = matching_runs(want, ids, way).order_by(RUN.c.id.desc(), RUN.c.run.desc())
    if want.limit and not sifts(ids):
        inner = inner.limit(want.limit)
    found = inner.subquery()
    return (
        select(RUN, SUBMISSION.c.record, SUBMISSION.c.changes, ALLOCATION.c.text.label("held"))
        .select_from(found)
        .join(RUN, and_(RUN.c.id == found.c.id, RUN.c.run == found.c.run))
        .join(SUBMISSION, SUBMISSION.c.job == RUN.c.job)
        .outerjoin(ALLOCATION, ALLOCATION.c.allocation == RUN.c.allocation)
        .order_by(RUN.c.id.desc(), RUN.c.run.desc())
    )


def few_submissions(want: Query) -> Select[Any] | None:
    """Counts submissions that match, up to ``MANY`` and one; None where no index finds them."""
    if not want.names:
        return None
    some = select(SUBMISSION.c.job).where(*_submissions(want)).limit(MANY + 1)
    return select(func.count()).select_from(some.subquery())


def submitted(want: Query) -> Select[Any]:
    """The first and the last id of what was submitted then: ids ascend with time, so that is a narrow range."""
    table = SUBMISSION.c
    reach = func.min(table.job).label("first"), func.max(table.job + table.count - 1).label("last")
    return select(*reach).where(*_within(table.submitted_at, want.submit))


def wide(want: Query, ids: RangeSet | None) -> Select[Any] | None:
    """Counts runs that match, up to ``MANY`` and one; None where that does not matter."""
    if not want.limit or ids is not None or want.nodes or _of_submission(want, SUBMISSION.c):
        return None
    some = select(RUN.c.id).where(*_run_conditions(want, ids)).limit(MANY + 1)
    return select(func.count()).select_from(some.subquery())


def find_cancelled(want: Query, ids: RangeSet | None) -> Select[Any] | None:
    """Rows of elements that ended while pending, descending by job and last rank; None where it cannot mean any.

    Each has an element at its last rank that no other one has, so where none is sifted, the first ``limit`` are enough.
    """
    if want.nodes or want.start != ANY_TIME:
        return None
    table = CANCELLED.c
    conditions = [*_within(table.at, want.end), *_users(want, table.uid), *_about_submission(want, table.job)]
    if want.states:
        conditions.append(table.state.in_(want.states))
    if ids is not None:
        conditions.append(_meets(ids))
    statement = (
        select(CANCELLED, SUBMISSION.c.record, SUBMISSION.c.changes)
        .join(SUBMISSION, SUBMISSION.c.job == table.job)
        .order_by(table.job.desc(), table.last.desc())
    )
    if not want.limit or ids is not None or sifting.needed(want):
        return statement.where(*conditions)
    newest = select(table.job, table.last).where(*conditions).order_by(table.job.desc(), table.last.desc())
    found = newest.limit(want.limit).subquery()
    return statement.join(found, and_(found.c.job == table.job, found.c.last == table.last))


def find_arrays(want: Query, ids: RangeSet | None) -> Select[Any]:
    """Records of submissions that are arrays, newest first."""
    table = SUBMISSION.c
    conditions = [table.record.contains('"array":'), *_users(want, table.uid), *_of_submission(want, table)]
    if ids is not None:
        reach = table.job + table.count - 1
        conditions.append(or_(false(), *(and_(table.job <= high, reach >= low) for low, high in _spans(ids))))
    return select(table.job, table.record, table.changes).where(*conditions).order_by(table.job.desc())


def portions(ids: RangeSet) -> Iterator[RangeSet]:
    """The ids, so many at a time as one statement takes without sifting."""
    if not sifts(ids):
        yield from [ids] if ids else []
        return
    some: list[tuple[int, int]] = []
    for low, high in ids.spans():
        if len(some) >= MAX_RANGES and high - some[0][0] >= MAX_MASK:
            yield RangeSet(some)
            some = []
        some.append((low, high))
    if some:
        yield RangeSet(some)


def sum_runs(ids: RangeSet) -> Select[Any]:
    """Sums over the last runs of these ids, by submission, state and what was held."""
    table = RUN.c
    lasted = table.ended_at - table.began_at - table.suspended_s  # as model.job.Element.elapsed
    wall = case((and_(table.began_at > 0, lasted > 0), lasted), else_=0.0)
    return (
        select(
            table.job,
            table.state,
            ALLOCATION.c.text.label("held"),
            func.count().label("count"),
            func.sum(table.cpu_s).label("cpu_s"),
            func.sum(wall).label("wall_s"),
            func.max(table.memory_peak).label("memory_peak"),
            func.sum(table.memory_deaths).label("memory_deaths"),
            func.max(table.code).label("code"),
            func.max(table.began_at).label("began_at"),
            func.max(table.ended_at).label("ended_at"),
        )
        .outerjoin(ALLOCATION, ALLOCATION.c.allocation == table.allocation)
        .where(_any_of(table.id, ids), table.again == FINAL)
        .group_by(table.job, table.state, ALLOCATION.c.text)
    )


def sum_ends(ids: RangeSet) -> Select[Any]:
    """Return how many runs of these ids ended in which state, when, and whether they were the last of their element."""
    table = RUN.c
    times = func.min(table.leased_at).label("leased_at"), func.max(table.ended_at).label("ended_at")
    columns = table.state, table.again, func.count().label("count"), *times
    return select(*columns).where(_any_of(table.id, ids)).group_by(table.state, table.again)


def _any_of(column: ColumnElement[int], ids: RangeSet) -> ColumnElement[bool]:
    """Return whether it is one of these ids; where they are to be sifted, whether it is between the first and the
    last."""
    spanned = or_(false(), *(column.between(low, high) for low, high in _spans(ids)))
    if _few(ids) or sifts(ids):
        return spanned
    place = cast(column - ids.first, Integer) + 1
    return and_(spanned, func.substr(literal(_mask(ids), LargeBinary), place, 1) == literal(_ONE, LargeBinary))


_ONE = b"\1"


def _mask(ids: RangeSet) -> bytes:
    """A byte for each number from the first to the last: whether it is in the set."""
    base = ids.first
    mask = bytearray(ids.last - base + 1)
    for low, high in ids.spans():
        mask[low - base : high - base + 1] = _ONE * (high - low + 1)
    return bytes(mask)


def _few(ids: RangeSet) -> bool:
    """Return whether a statement can name each range."""
    return len(list(islice(ids.spans(), MAX_RANGES + 1))) <= MAX_RANGES


def _spans(ids: RangeSet) -> list[tuple[int, int]]:
    """Ranges that hold all of the ids, and others where they are too many to be named."""
    return list(ids.spans()) if _few(ids) else [(ids.first, ids.last)]


def cancelled_within(ids: RangeSet) -> Select[Any]:
    """Rows of elements that ended while pending and that may meet these ids."""
    return select(CANCELLED).where(_meets(ids))


def sifts(ids: RangeSet | None) -> bool:
    """Return whether the reader has to sift the rows by ids itself."""
    return ids is not None and not _few(ids) and ids.last - ids.first >= MAX_MASK


class _Columns(NamedTuple):
    """The columns of runs that an index begins with."""

    uid: ColumnElement[int]
    ended_at: ColumnElement[float]


#: the same, as no index has them
_WALKED = _Columns(RUN.c.uid + 0, RUN.c.ended_at + 0.0)
_RUNS = _Columns(RUN.c.uid, RUN.c.ended_at)
_OF_BLOCK = RUN.c.id.between(SUBMISSION.c.job, SUBMISSION.c.job + SUBMISSION.c.count - 1)


def _run_conditions(
    want: Query, ids: RangeSet | None, columns: _Columns = _RUNS, apart: bool = False
) -> list[ColumnElement[bool]]:
    """``apart``: what submissions decide is said elsewhere, but for users."""
    table = RUN.c
    conditions = [
        *_within(columns.ended_at, want.end),
        *_within(table.began_at, want.start),
        *_users(want, columns.uid),
    ]
    if not apart:
        conditions += _about_submission(want, table.job)
    lows = [span.low for span in (want.start, want.submit) if span.low is not None]
    if lows:
        # implied, and what the index is ordered by: it ended after it began
        conditions.append(columns.ended_at >= max(lows))
    if want.start != ANY_TIME:
        conditions.append(table.began_at > 0)
    if want.states:
        conditions.append(table.state.in_(want.states))
    if want.last:
        conditions.append(table.again == FINAL)
    if want.nodes:
        there = select(ALLOCATION_NODE.c.allocation).where(ALLOCATION_NODE.c.node.in_(want.nodes))
        conditions.append(table.allocation.in_(there))
    if ids is not None:
        conditions.append(_any_of(table.id, ids))
    return conditions


def _users(want: Query, uid: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Users become uids first, which the indexes hold."""
    if not want.uids and not want.users:
        return []
    named = select(PERSON.c.uid).where(PERSON.c.user.in_(want.users))
    return [or_(uid.in_(want.uids), uid.in_(named)) if want.uids else uid.in_(named)]


def _about_submission(want: Query, job: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Return what the submission decides, beside users."""
    table = SUBMISSION.alias().c
    asked = _of_submission(want, table)
    return [exists().where(table.job == job, *asked)] if asked else []


def _submissions(want: Query) -> list[ColumnElement[bool]]:
    """All that submissions decide, of submissions themselves."""
    return [*_users(want, SUBMISSION.c.uid), *_of_submission(want, SUBMISSION.c)]


def _of_submission(want: Query, table: ReadOnlyColumnCollection[str, Column[Any]]) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = [
        table[key].in_(values) for name, key in searched() if (values := getattr(want, name))
    ]
    return [*asked, *_within(table.submitted_at, want.submit), *_in_record(want, table.record, table.changes)]


def _in_record(want: Query, record: ColumnElement[str], changes: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Return what only the texts say (defaults are left out of them): what they may mean is sifted while reading."""
    found: list[ColumnElement[bool]] = []
    if want.kinds:
        usual = [~record.contains('"kind":')] if USUAL_KIND in want.kinds else []
        found.append(or_(*usual, *(record.contains(f'"kind":"{kind}"', autoescape=True) for kind in want.kinds)))
    if want.licenses:
        found.append(
            or_(*(text.contains(name, autoescape=True) for text in (record, changes) for name in want.licenses))
        )
    if want.deadline != ANY_TIME:
        found.append(or_(record.contains('"deadline":'), changes.contains('"deadline":')))
    return found


def _within(column: ColumnElement[float], span: Span) -> list[ColumnElement[bool]]:
    found = [column >= span.low] if span.low is not None else []
    return found + ([column <= span.high] if span.high is not None else [])


def _meets(ids: RangeSet) -> ColumnElement[bool]:
    """Rows of cancelled elements between whose first and last is any of these ids; looked for from the submission on
    that has the first of them."""
    if not ids:
        return false()
    table, jobs = CANCELLED.c, SUBMISSION.alias().c
    first = select(func.coalesce(func.max(jobs.job), 0)).where(jobs.job <= ids.first).scalar_subquery()
    low, high = table.job + table.first, table.job + table.last
    spanned = or_(*(and_(low <= end, high >= start) for start, end in _spans(ids)))
    return and_(table.job.between(first, ids.last), spanned)
