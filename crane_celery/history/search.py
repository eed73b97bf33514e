"""Queries as SQL: which runs, which cancelled ranges. Pure expressions, no connection.

The inner select finds (id, run) among what one index holds and cuts to the limit; only those rows are then joined with
their submission and allocation. So a search among a million runs reads index entries, and at most ``limit`` rows.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, or_, select

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.api import ANY_TIME, Query, Span
from crane_celery.history.schema import ALLOCATION, ALLOCATION_NODE, CANCELLED, FINAL, PERSON, RUN, SUBMISSION

#: more ranges of ids than this are first searched by their hull, and sifted while reading
MAX_RANGES = 100
#: the kind of job that a record does not mention
USUAL_KIND = "Batch"


def find_runs(want: Query, ids: RangeSet | None) -> Select[Any]:
    """Runs with their submission and allocation, newest first. ``ids`` None = any id."""
    inner = select(RUN.c.id, RUN.c.run).where(*_run_conditions(want, ids)).order_by(RUN.c.id.desc(), RUN.c.run.desc())
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


def find_cancelled(want: Query, ids: RangeSet | None) -> Select[Any] | None:
    """Ranges of elements that ended while pending, newest first; None where the query cannot mean any."""
    if want.nodes or want.start != ANY_TIME:
        return None
    table = CANCELLED.c
    conditions = [*_within(table.at, want.end), *_about_submission(want, table.job, table.uid)]
    if want.states:
        conditions.append(table.state.in_(want.states))
    if ids is not None:
        conditions.append(_meets(ids))
    statement = (
        select(CANCELLED, SUBMISSION.c.record, SUBMISSION.c.changes)
        .join(SUBMISSION, SUBMISSION.c.job == table.job)
        .where(*conditions)
        .order_by(table.job.desc(), table.first.desc())
    )
    return statement.limit(want.limit) if want.limit and not sifts(ids) else statement


def find_arrays(want: Query, ids: RangeSet | None) -> Select[Any]:
    """Records of submissions that are arrays, newest first."""
    table = SUBMISSION.c
    conditions = [table.record.contains('"array":'), *_about_submission(want, table.job, table.uid)]
    if ids is not None:
        reach = table.job + table.count - 1
        spans: Sequence[tuple[int, int]] = [(ids.first, ids.last)] if sifts(ids) else ids.ranges
        conditions.append(or_(false(), *(and_(table.job <= high, reach >= low) for low, high in spans)))
    return (
        select(table.job, table.record, table.changes)
        .where(*conditions)
        .order_by(table.job.desc())
        .limit(want.limit or None)
    )


def portions(ids: RangeSet) -> list[RangeSet]:
    """The ids, so many ranges at a time as one statement takes."""
    return [RangeSet(ids.ranges[at : at + MAX_RANGES]) for at in range(0, len(ids.ranges), MAX_RANGES)]


def sum_runs(ids: RangeSet) -> Select[Any]:
    """Sums over the last runs of these ids, by submission, state and what was held."""
    table = RUN.c
    wall = case((table.began_at > 0, table.ended_at - table.began_at), else_=0.0)
    return (
        select(
            table.job,
            table.state,
            ALLOCATION.c.text.label("held"),
            func.count().label("count"),
            func.sum(table.cpu_s).label("cpu_s"),
            func.sum(wall).label("wall_s"),
            func.max(table.memory_peak).label("memory_peak"),
            func.max(table.code).label("code"),
            func.max(table.began_at).label("began_at"),
            func.max(table.ended_at).label("ended_at"),
        )
        .outerjoin(ALLOCATION, ALLOCATION.c.allocation == table.allocation)
        .where(_any_of(table.id, ids), table.again == FINAL)
        .group_by(table.job, table.state, ALLOCATION.c.text)
    )


def sum_ends(ids: RangeSet) -> Select[Any]:
    """How many runs of these ids ended in which state, when, and whether they were the last of their element."""
    table = RUN.c
    times = func.min(table.leased_at).label("leased_at"), func.max(table.ended_at).label("ended_at")
    columns = table.state, table.again, func.count().label("count"), *times
    return select(*columns).where(_any_of(table.id, ids)).group_by(table.state, table.again)


def _any_of(column: ColumnElement[int], ids: RangeSet) -> ColumnElement[bool]:
    return or_(false(), *(column.between(low, high) for low, high in ids.ranges))


def cancelled_within(ids: RangeSet) -> Select[Any]:
    """Ranges of elements that ended while pending and that meet these ids."""
    return select(CANCELLED).where(_meets(ids))


def sifts(ids: RangeSet | None) -> bool:
    """Whether the reader has to sift the rows by ids itself."""
    return ids is not None and len(ids.ranges) > MAX_RANGES


def _run_conditions(want: Query, ids: RangeSet | None) -> list[ColumnElement[bool]]:
    table = RUN.c
    conditions = [
        *_within(table.ended_at, want.end),
        *_within(table.began_at, want.start),
        *_about_submission(want, table.job, table.uid),
    ]
    if want.start.low is not None:
        # implied, and what the index is ordered by: it ended after it began
        conditions.append(table.ended_at >= want.start.low)
    if want.start != ANY_TIME:
        conditions.append(table.began_at > 0)
    if want.states:
        conditions.append(table.state.in_(want.states))
    if want.nodes:
        there = select(ALLOCATION_NODE.c.allocation).where(ALLOCATION_NODE.c.node.in_(want.nodes))
        conditions.append(table.allocation.in_(there))
    if ids is not None:
        spans = [(ids.first, ids.last)] if sifts(ids) else ids.ranges
        conditions.append(or_(false(), *(table.id.between(low, high) for low, high in spans)) if ids else false())
    return conditions


def _about_submission(want: Query, job: ColumnElement[int], uid: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """What the submission decides. Users become uids first, which the index of runs holds."""
    conditions: list[ColumnElement[bool]] = []
    if want.uids or want.users:
        named = select(PERSON.c.uid).where(PERSON.c.user.in_(want.users))
        conditions.append(or_(uid.in_(want.uids), uid.in_(named)) if want.uids else uid.in_(named))
    table = SUBMISSION.alias().c
    asked: list[ColumnElement[bool]] = [
        column.in_(values)
        for column, values in (
            (table.name, want.names),
            (table.partition, want.partitions),
            (table.account, want.accounts),
            (table.qos, want.qos),
        )
        if values
    ]
    asked += _within(table.submitted_at, want.submit)
    asked += _in_record(want, table.record)
    if asked:
        conditions.append(exists().where(table.job == job, *asked))
    return conditions


def _in_record(want: Query, record: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """What only the record's text says (defaults are left out of it): what it may mean is sifted while reading."""
    found: list[ColumnElement[bool]] = []
    if want.kinds:
        usual = [~record.contains('"kind":')] if USUAL_KIND in want.kinds else []
        found.append(or_(*usual, *(record.contains(f'"kind":"{kind}"', autoescape=True) for kind in want.kinds)))
    if want.licenses:
        found.append(or_(*(record.contains(name, autoescape=True) for name in want.licenses)))
    if want.deadline != ANY_TIME:
        found.append(record.contains('"deadline":'))
    return found


def _within(column: ColumnElement[float], span: Span) -> list[ColumnElement[bool]]:
    found = [column >= span.low] if span.low is not None else []
    return found + ([column <= span.high] if span.high is not None else [])


def _meets(ids: RangeSet) -> ColumnElement[bool]:
    """Cancelled ranges that touch any of these ids."""
    if not ids:
        return false()
    low, high = CANCELLED.c.job + CANCELLED.c.first, CANCELLED.c.job + CANCELLED.c.last
    spans: Sequence[tuple[int, int]] = [(ids.first, ids.last)] if sifts(ids) else ids.ranges
    return or_(*(and_(low <= end, high >= start) for start, end in spans))
