"""Test what the history can be asked."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from crane_celery.errors import ConfigError, SystemFault
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.history import search
from crane_celery.history.api import Query, Span
from crane_celery.history.batch import Batch, Cancelled, Finished, Started
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.sql import SqlHistory
from crane_celery.model.event import Position
from crane_celery.model.job import Job, JobSpec, StepRow
from crane_celery.model.states import State

#: submission -> (user, name, partition, state, node); its id is also when it ended, in seconds; it began 5 s before
PLAIN = {
    10: ("ada", "a", "CPU", "Completed", "n1"),
    20: ("bob", "b", "CPU", "Failed", "n2"),
    30: ("ada", "b", "GPU", "OutOfMemory", "n1"),
}
UIDS = {"ada": 1000, "bob": 1001}


def job(id: int, user: str, name: str, partition: str, count: int = 1, array: str = "") -> Job:
    spec = JobSpec(name=name, uid=UIDS[user], gid=1, user=user, partition=partition, array=array)
    return Job(id=id, spec=spec, count=count, submitted_at=float(id - 8), pending="")


def put(batch: Batch, id: int, job: int, at: float, state: str, node: str, run: int = 1) -> None:
    batch.started[id, run] = Started(job, id - job, at - 6, [[node, 1.0, 64, {}]])
    batch.finished[id, run] = Finished(job, id - job, state, 0, at - 5, at, "", 0.0, 0)


@pytest.fixture
def asked(filing: Filing, history: SqlHistory) -> SqlHistory:
    """Three plain jobs, and array 40 (indexes 1,3,5,7): 1 ran twice, 5 ran, 3 and 7 were cancelled."""
    batch = Batch()
    for id, (user, name, partition, state, node) in PLAIN.items():
        batch.submissions[id] = job(id, user, name, partition)
        put(batch, id, id, id, state, node)
    batch.submissions[40] = job(40, "bob", "array", "CPU", 4, "1-7:2")
    put(batch, 40, 40, 45, "Failed", "n1")
    put(batch, 40, 40, 60, "Completed", "n2", run=2)
    put(batch, 42, 40, 50, "Completed", "n2")
    batch.cancelled = [Cancelled(40, RangeSet.of([1, 3]), 70.0, 0)]
    step = StepRow(job=42, run=1, step=2, name="s", state=State.COMPLETED, node="n2", began_at=46.0, ended_at=47.0)
    batch.steps[42, 1, 2] = step
    assert filing.file(batch, Position(0, 0), Position(1, 0))
    return history


EVERYTHING = "40_7#0 40_5#1 40_3#0 40_1#2 40_1#1 30#1 20#1 10#1"


@pytest.mark.parametrize(
    ("want", "found"),
    [
        (Query(), EVERYTHING),
        (Query(limit=3), "40_7#0 40_5#1 40_3#0"),
        (Query(limit=0), EVERYTHING),
        (Query(last=True), EVERYTHING.replace(" 40_1#1", "")),
        (Query(last=True, states=("Failed",)), "20#1"),
        (Query(users=("ada",)), "30#1 10#1"),
        (Query(users=("nobody",)), ""),
        (Query(uids=(1001,), limit=2), "40_7#0 40_5#1"),
        (Query(users=("ada",), uids=(1001,)), EVERYTHING),
        (Query(states=("Failed", "OutOfMemory")), "40_1#1 30#1 20#1"),
        (Query(states=("Cancelled",)), "40_7#0 40_3#0"),
        (Query(names=("b",)), "30#1 20#1"),
        (Query(partitions=("GPU",)), "30#1"),
        (Query(nodes=("n2",)), "40_5#1 40_1#2 20#1"),
        (Query(nodes=("n1", "n2"), states=("Completed",)), "40_5#1 40_1#2 10#1"),
        (Query(end=Span(20.0, 45.0)), "40_1#1 30#1 20#1"),
        (Query(end=Span(70.0, None)), "40_7#0 40_3#0"),
        (Query(start=Span(15.0, 40.0)), "40_1#1 30#1 20#1"),
        (Query(start=Span(None, 15.0)), "20#1 10#1"),
        (Query(submit=Span(12.0, 22.0)), "30#1 20#1"),
        (Query(selectors=parse_selectors("40")), "40_7#0 40_5#1 40_3#0 40_1#2 40_1#1"),
        (Query(selectors=parse_selectors("40_[3-5],10")), "40_5#1 40_3#0 10#1"),
        (Query(selectors=parse_selectors("42")), "40_5#1"),
        (Query(selectors=parse_selectors("99")), ""),
        (Query(selectors=parse_selectors("20"), users=("ada",)), ""),
    ],
)
def test_filters(asked: SqlHistory, want: Query, found: str) -> None:
    assert " ".join(f"{row['jobid']}#{row['run']}" for row in asked.query(want)) == found
    assert asked.count(want) == (len(asked.query(replace(want, limit=0))), True)


def test_steps(asked: SqlHistory) -> None:
    def steps(selectors: str) -> list[str]:
        rows = asked.query(Query(selectors=parse_selectors(selectors)))
        return [step["stepid"] for row in rows for step in row["steps"]]

    assert steps("40_5") == ["40_5.0", "40_5.1", "40_5.2"]
    assert steps("40_5.2,40_3") == ["40_5.2"]
    assert "steps" not in asked.query(Query(steps=False))[0]


def test_the_last_id_is_beyond_all_that_were_filed(asked: SqlHistory) -> None:
    assert asked.last_id() == 1_000_000


def test_nothing_filed_has_no_last_id(history: SqlHistory) -> None:
    assert history.last_id() == 0


def test_the_file_is_the_daemons_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    opened = SqlHistory(f"sqlite:///{path}")
    assert opened.last_id() == 0
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    opened.close()
    assert modes == dict.fromkeys(("history.db", "history.db-wal", "history.db-shm"), 0o600)


def test_submissions_and_counts(asked: SqlHistory) -> None:
    found = asked.submission(42)
    assert found and (found["job"], found["array"], found["user"]) == (40, "1-7:2", "bob")
    assert asked.submission(44) is None and asked.submission(5) is None
    assert (asked.array_of(40), asked.array_of(42), asked.array_of(10), asked.array_of(99)) == ("1-7:2", "", "", "")
    assert asked.counts(40) == {"Completed": 2, "Cancelled": 2}
    assert asked.counts(42) == {}


def test_arrays_with_counts(asked: SqlHistory) -> None:
    (found,), _ = asked.arrays(Query())
    assert (found["job"], found["counts"]) == (40, {"Completed": 2, "Cancelled": 2})
    for want, expected in (
        (Query(names=("array",)), [40]),
        (Query(names=("other",)), []),
        (Query(selectors=parse_selectors("40_3")), [40]),
        (Query(selectors=parse_selectors("10")), []),
        (Query(submit=Span(100.0)), []),
        (Query(kinds=("Batch",)), [40]),
        (Query(kinds=("Interactive",)), []),
    ):
        assert [row["job"] for row in asked.arrays(want)[0]] == expected


def test_what_the_last_runs_used(asked: SqlHistory) -> None:
    found = asked.usage(parse_selectors("40"), RangeSet())
    shown = [(row["state"], row["count"], row["wall_s"], row["held_s"], row["alloc_memory"]) for row in found]
    assert sorted(shown) == [("Cancelled", 2, 0.0, 0.0, 0), ("Completed", 2, 10.0, 10.0, 64)]
    assert [row["count"] for row in asked.usage(parse_selectors("40"), RangeSet.span(40, 41))] == [1, 1]
    assert asked.usage(parse_selectors("99"), RangeSet()) == []


def test_what_a_submission_says_of_some_elements(filing: Filing, history: SqlHistory) -> None:
    """A page is full however many newer elements are not meant."""
    batch = Batch()
    spec = replace(job(1, "ada", "old", "CPU").spec, array="0-99", licenses="ab:1")
    changes = [["2-49,60-99", {"name": "new", "licenses": "a:1", "deadline": 500.0, "partition": "GPU"}]]
    batch.submissions[1] = Job(id=1, spec=spec, count=100, submitted_at=1.0, pending="")
    batch.submissions[200] = replace(job(200, "ada", "old", "CPU"), submitted_at=2.0)
    batch.changes[1] = json.dumps(changes, separators=(",", ":"))
    for id in (*range(1, 51), 200):
        put(batch, id, 200 if id == 200 else 1, 10.0, "Completed", "n1")
    batch.cancelled = [Cancelled(1, RangeSet.span(50, 99), 10.0, 0)]
    assert filing.file(batch, Position(0, 0), Position(1, 0))

    def found(want: Query) -> list[int]:
        return [row["rank"] for row in history.query(replace(want, selectors=parse_selectors("1"), steps=False))]

    old, new = [*range(59, 49, -1), 1, 0], [*range(99, 59, -1), *range(49, 1, -1)]
    for want, expected in (
        (Query(names=("old",)), old),
        (Query(partitions=("CPU",)), old),
        (Query(licenses=("ab",)), old),
        (Query(licenses=("a", "b")), new),
        (Query(deadline=Span(400.0, None)), new),
        (Query(deadline=Span(None, 499.0)), []),
    ):
        for limit in (0, 1, 11, 1000):
            assert found(replace(want, limit=limit)) == expected[: limit or None]
    everywhere = [row["id"] for row in history.query(Query(names=("old",), limit=12, steps=False))]
    assert everywhere == [200, *(rank + 1 for rank in old[:11])]


@pytest.mark.parametrize(("few", "mask"), [(100, 1 << 22), (100, 60), (2, 60), (1, 1)])
def test_many_ranges(filing: Filing, history: SqlHistory, monkeypatch: pytest.MonkeyPatch, few: int, mask: int) -> None:
    """Each way to look for them: by range, by mask, by sifting; in one statement or in several."""
    monkeypatch.setattr(search, "MAX_RANGES", few)
    monkeypatch.setattr(search, "MAX_MASK", mask)
    batch = Batch()
    batch.submissions[1] = job(1, "ada", "big", "CPU", 1000, "0-999")
    for id in range(1, 701):
        put(batch, id, 1, 10.0 + id, "Completed", "n1")
    batch.cancelled = [Cancelled(1, RangeSet.span(700, 999), 9999.0, 0)]
    assert filing.file(batch, Position(0, 0), Position(1, 0))
    rows = history.query(Query(selectors=parse_selectors("1_[0-998:2]"), limit=200, steps=False))
    assert [row["index"] for row in rows] == list(range(998, 598, -2))
    used = history.usage(parse_selectors("1_[0-998:2]"), RangeSet())
    assert sum(row["count"] for row in used) == 500
    used = history.usage(parse_selectors("1"), RangeSet.of(range(1, 1001, 3)))
    assert sorted({row["state"] for row in used}) == ["Cancelled", "Completed"]
    assert sum(row["count"] for row in used if row["state"] == "Cancelled") == 200
    assert sum(row["count"] for row in used) == 666
    some = RangeSet.of([*range(1, 500, 2), 690, 900])
    assert [row["id"] for row in history.runs(some)] == [690, *range(499, 0, -2)]
    assert sum(row["count"] for row in history.sums(some)) == 251
    assert history.runs(RangeSet()) == history.sums(RangeSet()) == []
    picked = parse_selectors("1_[3,5,900,7-600:2,699].1,1_5")
    steps = [(row["index"], len(row["steps"])) for row in history.query(Query(selectors=picked, limit=3))]
    assert steps == [(900, 0), (699, 1), (599, 1)]
    (found,), _ = history.arrays(Query(selectors=picked))
    assert found["job"] == 1


def test_a_batch_out_of_turn_is_refused_whole(filing: Filing, history: SqlHistory) -> None:
    batch = Batch()
    batch.submissions[10] = job(10, "ada", "a", "CPU")
    put(batch, 10, 10, 10.0, "Completed", "n1")
    assert not filing.file(batch, Position(5, 0), Position(6, 0))
    assert history.query(Query()) == [] and history.submission(10) is None


class TestDatabase:
    """Record of what the database may be."""

    def test_another_schema_version_is_refused(self, url: str) -> None:
        database = Database(url)
        with database.writing() as db:
            db.exec_driver_sql("UPDATE schema_version SET version = 99")
        newer = SqlHistory(url)
        with pytest.raises(SystemFault, match="version 99"):
            newer.query(Query())
        newer.close()
        database.close()

    @pytest.mark.parametrize("url", ["", "nonsense", "nosuchdb://x", "mysql+nosuch://u:secret@h/d"])
    def test_a_url_that_is_none(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            SqlHistory(url)
        assert "secret" not in caught.value.message

    def test_a_directory_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SystemFault, match="history"):
            SqlHistory(f"sqlite:///{tmp_path}/file/history.db").query(Query())


def test_a_full_disk_files_nothing_and_moves_nothing(tmp_path: Path) -> None:
    """A database that may not grow is what a full disk looks like to SQLite."""
    database = Database(f"sqlite:///{tmp_path}/full.db")
    with database.writing() as db:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar_one()
    with database.reading() as db:
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    batch = Batch()
    for id in range(1, 2001):
        batch.submissions[id] = job(id, "ada", "a" * 50, "CPU")
    filing = Filing(database)
    with pytest.raises(SystemFault, match="full"):
        filing.file(batch, Position(0, 0), Position(1, 0))
    assert filing.cursor() == Position(0, 0) and filing.last_id() == 0
    with database.reading() as db:
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10_000}")
    assert filing.file(batch, Position(0, 0), Position(1, 0)) and filing.last_id() == 2000
    database.close()
