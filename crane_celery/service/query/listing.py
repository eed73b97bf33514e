"""Define what ``cqueue`` lists: what waits, what runs and, when asked for, what has ended within the window."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector
from crane_celery.history.api import History, Query, Span, Total
from crane_celery.history.rows import Row
from crane_celery.model.states import ENDED, State
from crane_celery.service.query import queue
from crane_celery.service.query.filters import Filters
from crane_celery.service.query.job_rows import by_state_and_priority, pending_row
from crane_celery.store.api import Store

#: ended rows that one listing takes from the history at most
MAX_PAST = 100_000


class Wanted(NamedTuple):
    """A question about the queue."""

    selectors: tuple[Selector, ...] = ()
    filters: Filters = Filters()
    #: so many rows at most, 0 = all
    limit: int = 0
    #: ended ones too
    past: bool = False
    #: so many characters of indexes in an id at most, 0 = all of them
    cut: int = 0


class Listed(NamedTuple):
    """Rows, and how many there are without the limit."""

    rows: list[Row]
    total: Total


def live(found: queue.Alive, want: Wanted, store: Store) -> queue.Chosen:
    """Return what waits and what has started."""
    if want.selectors:
        return queue.chosen(found, want.selectors, want.filters, store, ended=want.past)
    return queue.Chosen(queue.pending(found, want.filters), queue.holding(found, want.filters))


def with_past(chosen: queue.Chosen, want: Wanted, since: float, history: History) -> tuple[queue.Chosen, Total]:
    """And what has ended since, newest first: the last run of each, unless it waits or runs again. Of what lives
    nothing is left out for it. Also how many there are in all."""
    alive, here = ids_of(chosen), len(chosen.lines) + len(chosen.rows)
    room = max(0, want.limit - here) if want.limit else MAX_PAST
    asked = replace(_ended(want, since), limit=room + 1)
    ended = [row for row in history.query(asked) if row["id"] not in alive]
    found = Total(len(ended)) if len(ended) <= room else history.count(asked)
    past = [past_row(row) for row in ended[:room]]
    total = Total(here + max(found.number, len(past)), found.exact)
    return queue.Chosen(chosen.lines, sorted([*chosen.rows, *past], key=by_state_and_priority)), total


def ids_of(chosen: queue.Chosen) -> RangeSet:
    """Plain ids of what waits and of what runs."""
    ids = RangeSet.of(row["id"] for row in chosen.rows if row["state"] not in ENDED)
    large = [line.ranks.shifted(line.job.id) for line in chosen.lines if line.job.is_array]
    alone = RangeSet.of(line.job.id for line in chosen.lines if not line.job.is_array)
    return reduce(or_, large, ids | alone)


def _ended(want: Wanted, since: float) -> Query:
    filters = want.filters
    return Query(
        selectors=want.selectors,
        **conditions(filters, filters.states & ENDED or ENDED),
        end=Span(since),
        last=True,
        steps=False,
    )


def conditions(filters: Filters, states: Collection[State]) -> dict[str, Any]:
    """Conditions on what lives, as fields of a question about the past; of the states only these."""
    return {
        "users": filters.users,
        "uids": filters.uids,
        "states": tuple(str(state) for state in State if state in states),
        "names": filters.names,
        "partitions": filters.partitions,
        "accounts": filters.accounts,
        "qos": filters.qos,
        "nodes": filters.nodes,
        "kinds": filters.kinds,
        "licenses": filters.licenses,
    }


def past_row(row: Row) -> Row:
    """A row of the history with what a queue's rows have beside it."""
    index = "" if row["index"] is None else str(row["index"])
    return {**row, "indexes": index, "ranks": str(row["rank"]), "count": 1, "held": False}


def rows_of(chosen: queue.Chosen, limit: int) -> list[Row]:
    """All of it as rows."""
    lines = chosen.lines[: limit or None]
    rows = [pending_row(line) for line in lines] + chosen.rows
    return rows[:limit] if limit else rows


def table(chosen: queue.Chosen, want: Wanted, keys: Sequence[str]) -> Row:
    """All of it by columns (queue.table)."""
    lines = chosen.lines[: want.limit or None]
    rows = chosen.rows[: want.limit - len(lines)] if want.limit else chosen.rows
    return queue.table(lines, rows, keys, want.cut)


def totals(chosen: queue.Chosen, total: Total) -> Row:
    """Return how many lines there are, and how many elements they stand for, without the limit: at least, unless
    exact."""
    more = sum(len(line.ranks) - 1 for line in chosen.lines if line.job.is_array)
    return {"total": total.number, "elements": total.number + more, "exact": total.exact}


def filters_of(want: Query) -> Filters:
    """A question about the past, as conditions on what lives."""
    return Filters(
        names=want.names,
        users=want.users,
        uids=want.uids,
        partitions=want.partitions,
        accounts=want.accounts,
        qos=want.qos,
        nodes=want.nodes,
        states=frozenset(state for state in State if str(state) in want.states),
        kinds=want.kinds,
        licenses=want.licenses,
    )


def used(row: Row) -> Row:
    """Return what one live row used and holds so far, as one of the groups of ``History.usage``."""
    wall = float(row["elapsed"] or 0.0)
    return {**row, "nodes": len(row["nodelist"]), "wall_s": wall, "held_s": wall * row["alloc_cpus"]}
