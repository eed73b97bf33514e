"""Databases of older versions, brought to this one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from crane_celery.errors import SystemFault
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.history import record
from crane_celery.history.api import Query
from crane_celery.history.batch import Batch, Revived
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.migrations import STEPS
from crane_celery.history.schema import VERSION
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import Job, JobSpec

HERE = Path(__file__).parent
ARRAY = Job(
    id=7,
    spec=JobSpec(name="old", uid=1000, gid=1000, user="ada", array="0-3", partition="CPU"),
    count=4,
    submitted_at=1.0,
    pending="",
)


def version_1(url: str) -> None:
    """A database as version 1 left it: an array of which 0 ran twice, 1 ran, 2 and 3 were cancelled."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    engine = create_engine(url)
    with engine.begin() as db:
        for statement in (HERE / f"version_1.{engine.dialect.name}.sql").read_text().split(";"):
            if statement.strip():
                db.exec_driver_sql(statement)
        rows = (
            "VALUES (7, 1, 7, 0, 1000, 'Failed', 1, 2, 3, 4, 1, '', 0, 0), (7, 2, 7, 0, 1000, 'Completed', 0, 5, 6, 9,"
        )
        for statement in (
            "INSERT INTO schema_version VALUES (1)",
            "INSERT INTO cursor VALUES (1, 5, 0, 0)",
            f"INSERT INTO run {rows} 1, '', 1.5, 64), (8, 1, 7, 1, 1000, 'Completed', 0, 5, 6, 8, 1, '', 1.5, 64)",
            """INSERT INTO allocation VALUES (1, 'x', '[["n1",2.0,64,{}]]')""",
            "INSERT INTO cancelled VALUES (7, 2, 3, 9, 1000, 0)",
        ):
            db.exec_driver_sql(statement)
        db.execute(
            text("INSERT INTO submission VALUES (7, 4, 1, 9, 1000, 'ada', 'old', 'CPU', '', '', :record)"),
            {"record": record.encode(ARRAY)},
        )
    engine.dispose()


def test_what_version_1_filed_is_there(url: str) -> None:
    version_1(url)
    history = SqlHistory(url)
    found = history.query(Query(users=("ada",), steps=False))
    assert [(row["jobid"], row["run"], row["state"], row["code"]) for row in found] == [
        ("7_3", 0, "Cancelled", 320),
        ("7_2", 0, "Cancelled", 320),
        ("7_1", 1, "Completed", 0),
        ("7_0", 2, "Completed", 0),
        ("7_0", 1, "Failed", 1),
    ]
    assert history.counts(7) == {"Completed": 2, "Cancelled": 2}
    (cancelled,) = history.told(7)
    assert cancelled == {"at": 9.0, "kind": "cancel", "ranks": "2-3", "detail": {}, "by_uid": 0}
    held = 2.0 * (4.0 * 2 ** (-1 / 10) + 3.0 * 2 ** (-2 / 10) + 2.0 * 2 ** (-6 / 10))
    assert history.held_by_uid(10.0, 10.0) == {1000: pytest.approx(held)}
    history.close()


def version_2(url: str) -> None:
    """The same as version 2 left it; 3 had not been cancelled but missed its deadline."""
    version_1(url)
    engine = create_engine(url)
    with engine.begin() as db:
        STEPS[1](db)
        for statement in (
            "UPDATE schema_version SET version = 2",
            "UPDATE cancelled SET last = 2",
            "INSERT INTO cancelled VALUES (7, 3, 3, 10, 1000, -1, 'Deadline', 330, 'late')",
        ):
            db.exec_driver_sql(statement)
    engine.dispose()


def test_each_range_that_version_2_filed_is_a_row(url: str) -> None:
    version_2(url)
    database = Database(url)
    filing, history = Filing(database), SqlHistory(url)
    rows = history.query(Query(selectors=parse_selectors("7_[2-3]"), steps=False))
    assert [(row["jobid"], row["state"], row["code"], row["reason"], row["ended_at"]) for row in rows] == [
        ("7_3", "Deadline", 330, "late", 10.0),
        ("7_2", "Cancelled", 320, "cancelled while pending", 9.0),
    ]
    assert history.counts(7) == {"Completed": 2, "Cancelled": 1, "Deadline": 1}
    at = filing.cursor()
    taken_back = Batch(revived=[Revived(7, RangeSet.of([0, 2]), 1)])
    assert filing.file(taken_back, at, at._replace(ms=at.ms + 1))
    assert history.counts(7) == {"Completed": 1, "Deadline": 1}
    history.close()
    database.close()


def test_the_tables_are_those_of_a_new_database(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    fresh = (
        f"sqlite:///{tmp_path}/fresh.db" if url.startswith("sqlite") else request.getfixturevalue("postgres").fresh()
    )
    version_1(url)
    assert shape(url) == shape(fresh)


def shape(url: str) -> dict[str, Any]:
    """Tables with their columns, keys and indexes, after the first use."""
    database = Database(url)
    assert Filing(database).cursor().seq == 0
    database.close()
    engine = create_engine(url)
    seen = inspect(engine)
    found = {
        table: (
            {(each["name"], type(each["type"])._type_affinity, each["nullable"]) for each in seen.get_columns(table)},
            seen.get_pk_constraint(table)["constrained_columns"],
            {(each["name"], *each["column_names"]) for each in seen.get_indexes(table) if not each.get("unique")},
        )
        for table in seen.get_table_names()
    }
    engine.dispose()
    return found


def test_a_step_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    version_1(url)
    real = STEPS[1]

    def broken(db: Any) -> None:
        real(db)
        raise SystemFault("the disk is full")

    with monkeypatch.context() as patched:
        patched.setitem(STEPS, 1, broken)
        history = SqlHistory(url)
        with pytest.raises(SystemFault):
            history.counts(7)
        history.close()
    history = SqlHistory(url)
    assert history.counts(7) == {"Completed": 2, "Cancelled": 2}
    history.close()


def test_each_version_has_a_step_to_the_next() -> None:
    assert sorted(STEPS) == list(range(1, VERSION))
