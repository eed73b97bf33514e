"""Cancels of many elements in whatever pattern: a row each, and read as if each element had one of its own."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as listening
from sqlalchemy import func, select

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.history import revival
from crane_celery.history.api import Query, Row, Span
from crane_celery.history.batch import fold
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.schema import CANCELLED
from crane_celery.history.sql import SqlHistory
from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import Event
from crane_celery.model.job import Job, JobSpec

MANY = 100_000
SIZE = 12


class Log:
    """Events of one array, numbered, and filed when it is said."""

    def __init__(self, filing: Filing, job: int, count: int) -> None:
        """Submit it."""
        self.filing = filing
        self.events: list[Event] = []
        spec = JobSpec(name="many", uid=job, gid=1, user=f"u{job}", array=f"0-{count - 1}")
        self.job = Job(id=job, spec=spec, count=count, submitted_at=1.0, pending="")
        self.add("submit", job=job_to_json(self.job))

    def add(self, kind: str, at: float = 1.0, **data: object) -> None:
        self.events.append(Event(f"{self.filing.cursor().ms + 1}-{len(self.events)}", at, kind, data))

    def cancel(self, ranks: RangeSet, at: float = 9.0, **how: object) -> None:
        self.add("cancel", at, job=self.job.id, ranks=ranks.text, uid=0, done=False, **how)

    def revive(self, ranks: RangeSet, held: int = 0) -> None:
        self.add("revive", job=job_to_json(self.job), ranks=ranks.text, held=held)

    def ran(self, ranks: RangeSet, at: float, state: str, run: int = 1) -> None:
        id = self.job.id
        self.add("start", at - 1, fence=1, rows=[[id + rank, id, rank, run, [["n1", 1.0, 64, {}]]] for rank in ranks])
        ends = [[id + rank, id, rank, run, state, 0, at - 1, at, "", 0.5, 64, False] for rank in ranks]
        self.add("end", at, node="n1", rows=ends)

    def file(self) -> None:
        at = self.filing.cursor()
        assert self.filing.file(fold(self.events), at, at._replace(ms=at.ms + 1))
        self.events.clear()


def rows_of(filing: Filing, job: int) -> int:
    with filing._database.reading() as db:
        return int(db.scalar(select(func.count()).where(CANCELLED.c.job == job)) or 0)


def shown(rows: list[Row]) -> list[tuple[int, int, str, float]]:
    return [(row["rank"], row["run"], row["state"], row["ended_at"]) for row in rows]


def test_every_second_of_many_is_one_row(filing: Filing, history: SqlHistory) -> None:
    log, even = Log(filing, 20, MANY), RangeSet.of(range(0, MANY, 2))
    log.cancel(even)
    log.cancel(RangeSet.of(range(1, MANY, 4)), at=10.0)
    log.file()
    assert rows_of(filing, 20) == 2
    assert history.counts(20) == {"Cancelled": MANY // 4 * 3}
    (found,), _ = history.arrays(Query())
    assert found["counts"] == history.counts(20)
    for want in (Query(limit=4), Query(limit=4, selectors=parse_selectors("20")), Query(limit=4, users=("u20",))):
        last = [(MANY - 2, 0, "Cancelled", 9.0), (MANY - 3, 0, "Cancelled", 10.0), (MANY - 4, 0, "Cancelled", 9.0)]
        assert shown(history.query(want)) == [*last, (MANY - 6, 0, "Cancelled", 9.0)]
    for part, ranks in (("4", [4]), ("3", []), ("[4-9]", [9, 8, 6, 5, 4])):
        rows = history.query(Query(selectors=parse_selectors(f"20_{part}")))
        assert [row["rank"] for row in rows] == ranks
    assert [row["count"] for row in history.usage(parse_selectors("20"), even)] == [MANY // 4 * 3 - MANY // 2 + 10]
    assert len(filing.filed_ranks(20, MANY)) == MANY // 4 * 3


def test_a_requeue_of_many_costs_what_is_on_file_of_them(filing: Filing, history: SqlHistory) -> None:
    log, fourth = Log(filing, 20, MANY), RangeSet.of(range(0, MANY, 4))
    log.ran(RangeSet.of([0, 4, 5, 6]), 5.0, "Failed")
    log.cancel(RangeSet.of(range(2, MANY, 2)) - RangeSet.of([4, 6]))
    log.file()
    statements: list[int] = []
    log.revive(fourth)
    with filing._database.writing() as db:
        listening.listen(
            db,
            "before_cursor_execute",
            lambda _db, _cursor, _text, told, _context, many: statements.append(len(told) if many else 1),
        )
        (left,) = revival.take_back(db, fold(log.events).revived)
        assert sum(statements) < 10
        assert left.ranks == RangeSet.of(range(2, MANY, 4)) - RangeSet.of([6])
        db.rollback()
    log.file()
    assert rows_of(filing, 20) == 1 and history.counts(20) == {"Cancelled": MANY // 4 - 1, "Failed": 2}
    assert [row["again"] for row in history.runs(RangeSet.span(20, 30))] == [0, 0, 1, 1]


class Model:
    """The same, element by element."""

    def __init__(self) -> None:
        """All is pending."""
        self.runs: dict[int, list[tuple[str, float, int]]] = {rank: [] for rank in range(SIZE)}
        self.gone: dict[int, tuple[str, float]] = {}

    def ended(self) -> set[int]:
        return {rank for rank, runs in self.runs.items() if runs and not runs[-1][2]} | self.gone.keys()

    def rows(self) -> list[tuple[int, int, str, float, int]]:
        """(rank, run, state, time, again), newest first."""
        found = [(rank, 0, state, at, 0) for rank, (state, at) in self.gone.items()]
        for rank, runs in self.runs.items():
            found += [(rank, run, *each) for run, each in enumerate(runs, 1)]
        return sorted(found, reverse=True)

    def counts(self, ranks: set[int]) -> dict[str, int]:
        last = [state for rank, _, state, _, again in self.rows() if not again and rank in ranks]
        return {state: last.count(state) for state in last}


ranks = st.frozensets(st.integers(0, SIZE - 1), min_size=1)
acts = st.tuples(st.sampled_from(["cancel", "expire", "revive", "hold", "run"]), ranks, st.booleans())


def act(log: Log, model: Model, what: str, asked: frozenset[int], at: float) -> None:
    """Do it to those that it can be done to."""
    ended = model.ended()
    some = asked & ended if what in ("revive", "hold") else asked - ended
    chosen = RangeSet.of(some)
    if not some:
        return
    if what in ("cancel", "expire"):
        state = "Cancelled" if what == "cancel" else "Deadline"
        log.cancel(chosen, at, **({} if what == "cancel" else {"state": state, "code": 330, "reason": "late"}))
        model.gone |= dict.fromkeys(some, (state, at))
    elif what == "run":
        for rank in some:
            log.ran(RangeSet.of([rank]), at, "Failed", run=len(model.runs[rank]) + 1)
            model.runs[rank].append(("Failed", at, 0))
    else:
        log.revive(chosen, held=int(what == "hold"))
        for rank in some:
            if model.gone.pop(rank, None) is None:
                state, then, _ = model.runs[rank][-1]
                model.runs[rank][-1] = state, then, 2 if what == "hold" else 1


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Filing, SqlHistory, Iterator[int]]]:
    """A history for all examples, and the ids of their arrays."""
    url = f"sqlite:///{tmp_path_factory.mktemp('gone')}/history.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").fresh()
    database, history = Database(url), SqlHistory(url)
    yield Filing(database), history, count(100, 100)
    history.close()
    database.close()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, max_size=14), ranks, st.integers(1, 2 * SIZE), st.tuples(st.integers(2, 16), st.integers(2, 16)))
def test_as_if_each_element_had_a_row(
    both: tuple[Filing, SqlHistory, Iterator[int]],
    story: list[tuple[str, frozenset[int], bool]],
    asked: frozenset[int],
    limit: int,
    times: tuple[int, int],
) -> None:
    filing, history, ids = both
    log, model = Log(filing, next(ids), SIZE), Model()
    for at, (what, some, file) in enumerate(story, 2):
        act(log, model, what, some, float(at))
        if file:
            log.file()
    log.file()
    expected, job = model.rows(), log.job.id
    array, part = parse_selectors(str(job)), parse_selectors(f"{job}_[{RangeSet.of(asked).text}]")

    def found(want: Query) -> list[tuple[int, int, str, float, int]]:
        rows = history.query(want)
        return [(row["rank"], row["run"], row["state"], row["ended_at"], row.get("again", 0)) for row in rows]

    some = [row for row in expected if row[0] in asked]
    assert found(Query(selectors=array)) == expected
    assert found(Query(users=(f"u{job}",), limit=limit)) == expected[:limit]
    assert found(Query(selectors=array, limit=limit)) == expected[:limit]
    assert found(Query(selectors=part)) == some
    states = ("Deadline", "Failed")
    late = [row for row in expected if row[2] in states]
    assert found(Query(selectors=array, states=states, limit=limit)) == late[:limit]
    low, high = sorted(map(float, times))
    between = [row for row in some if low <= row[3] <= high]
    assert found(Query(selectors=part, end=Span(low, high))) == between
    assert history.counts(job) == model.counts({*range(SIZE)})
    used = {row["state"]: row["count"] for row in history.usage(array, RangeSet.of(job + rank for rank in asked))}
    assert used == model.counts({*range(SIZE)} - asked)
    assert set(filing.filed_ranks(job, SIZE)) == model.ended()
