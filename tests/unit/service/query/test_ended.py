"""Test what explain says of what has started or ended."""

from pathlib import Path
from typing import Any

import pytest

from crane_celery.grammar.selector import parse_selectors
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.service import Service
from crane_celery.service.query.ended import size
from crane_celery.store.api import Ended, Report
from tests.unit.service.submit.test_accept import submit
from tests.unit.service.support import Cluster

MB = 1 << 20


@pytest.fixture
def past(tmp_path: Path) -> Cluster:
    """A cluster whose service has a history."""
    made = Cluster(tmp_path)
    made.service = Service(made.store, made.settings, SqlHistory(f"sqlite:///{tmp_path}/history.db"))
    return made


def told(cluster: Cluster, tmp_path: Path, ids: str) -> dict[str, Any]:
    database = Database(f"sqlite:///{tmp_path}/history.db")
    recorder = Recorder(cluster.store, Filing(database))
    while recorder.step(0.0):
        pass
    database.close()
    (record,) = cluster.service.query.explain(parse_selectors(ids), "UTC")
    return record


def end(cluster: Cluster, id: int, state: str, code: int, **more: Any) -> None:
    now = cluster.store.now()
    end = Ended(id, 1, state, code, now - 10, now, **{"reason": "", "cpu_s": 5.0, "memory_peak": 0, **more})
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(ended=[end]))


def test_memory(past: Cluster, tmp_path: Path) -> None:
    job = submit(past, time="10", output="a-%j.out")
    past.begin(job)
    end(past, job, "OutOfMemory", 137, memory_peak=1023 * MB + MB // 10 * 9, memory_deaths=2)
    found = told(past, tmp_path, str(job))
    (row,) = found["started"]
    assert found["lines"] == ["OutOfMemory: 1 of its elements"]
    assert row["lines"][0] == f"{job}: OutOfMemory, exit code 137, on cn1"
    assert row["lines"][1].startswith("Submitted 20") and ", began 20" in row["lines"][1]
    assert row["lines"][2].endswith("of at most 00:10:00")
    assert row["lines"][3] == "Limit reached: memory, 1024M on a node; 2 processes were killed for it"
    assert row["lines"][4] == "Memory: used 1023.8M of 1024M"
    assert row["lines"][5] == "CPU: used 5.0 s of 10.0 s held (50%)"
    assert row["stdout"].endswith(f"/a-{job}.out") and row["host"] == "cn1"


@pytest.mark.parametrize(
    ("state", "code", "says"),
    [("ExceedTimeLimit", 325, "Limit reached: time, 00:10:00"), ("Failed", 265, "Failed, signal KILL, on cn1")],
)
def test_limits_and_signals(past: Cluster, tmp_path: Path, state: str, code: int, says: str) -> None:
    job = submit(past, time="10")
    past.begin(job)
    end(past, job, state, code)
    assert says in "\n".join(told(past, tmp_path, str(job))["started"][0]["lines"])


def test_of_many_elements_those_that_failed(past: Cluster, tmp_path: Path) -> None:
    job = submit(past, array="0-19")
    for rank in range(12):
        past.run(job, rank, code=rank % 2)
    past.begin(job, 12)
    found = told(past, tmp_path, str(job))
    assert "Completed: 6 of its elements" in found["lines"] and "Failed: 6 of its elements" in found["lines"]
    assert "Running: 1 of its elements" in found["lines"]
    assert "The newest 5 that did not complete follow, 1 more: see cacct -t" in found["lines"]
    assert [row["jobid"] for row in found["started"]] == [f"{job}_{index}" for index in (3, 5, 7, 9, 11)]
    (one,) = told(past, tmp_path, f"{job}_0")["started"]
    assert one["lines"][0] == f"{job}_0: Completed, exit code 0, on cn1"
    (runs,) = told(past, tmp_path, f"{job}_12")["started"]
    assert runs["lines"][0] == f"{job}_12: Running, on cn1" and ", runs" in runs["lines"][1]
    assert told(past, tmp_path, f"{job}_15")["started"] == []


def test_a_short_run_has_no_efficiency(past: Cluster, tmp_path: Path) -> None:
    job = submit(past)
    past.begin(job)
    now = past.store.now()
    ended = Ended(job, 1, "Completed", 0, now, now, "", 0.016, 0)
    past.store.report("cn1", past.epochs["cn1"], Report(ended=[ended]))
    (row,) = told(past, tmp_path, str(job))["started"]
    assert [line for line in row["lines"] if line.startswith("CPU")] == ["CPU: used 0.0 s of 0.0 s held"]


def test_what_never_began(past: Cluster, tmp_path: Path) -> None:
    from crane_celery.service.control.cancel import CANCEL
    from crane_celery.service.query.filters import Filters
    from tests.unit.service.submit.test_accept import ALICE

    job = submit(past)
    past.service.control.cancel(ALICE, parse_selectors(str(job)), Filters(), CANCEL)
    (row,) = told(past, tmp_path, str(job))["started"]
    assert row["lines"][0] == f"{job}: Cancelled (cancelled while pending)"
    assert row["lines"][1].startswith("Never began; submitted 20")


def test_sizes_are_not_rounded_up() -> None:
    assert [size(each) for each in (300 * MB, 300 * MB - 1, 0, MB // 2)] == ["300M", "299.9M", "0M", "0.5M"]
