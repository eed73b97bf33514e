"""From a real event stream into a real database."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crane_celery.errors import SystemFault
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.history import recorder as recorder_module
from crane_celery.history.api import Query
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import CONSUMER, Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import StepRow
from crane_celery.model.states import STATUS_LOST, State
from crane_celery.store.api import Began, Ended, Moved, Report
from crane_celery.store.redis import RedisStore
from tests.support.server import Server
from tests.support.site import Site


def drain(recorder: Recorder) -> None:
    """File all there is."""
    while recorder.step(0.0):
        pass


def test_a_job_with_a_step(site: Site, filing: Filing, history: SqlHistory) -> None:
    job = site.submit()
    site.start(job, 0)
    site.begin(job)
    recorder = Recorder(site.store, filing)
    drain(recorder)
    assert history.query(Query()) == []
    step = StepRow(job=job, run=1, step=2, name="s", state=State.FAILED, node="n1", began_at=1.0, ended_at=2.0, code=3)
    step = replace(step, memory_deaths=2)
    site.store.report("n1", site.epochs["n1"], Report(steps=[step]))
    site.end(job, code=4)
    drain(recorder)
    (row,) = history.query(Query())
    assert (row["jobid"], row["run"], row["state"], row["code"], row["nodelist"]) == (str(job), 1, "Failed", 4, ["n1"])
    assert row["began_at"] and row["leased_at"] and row["ended_at"] > row["began_at"]
    assert (row["cpu_s"], row["memory_peak"], row["alloc_cpus"], row["user"]) == (0.5, 4096, 1.0, "ada")
    assert [(each["stepid"], each["code"], each["memory_deaths"]) for each in row["steps"]] == [
        (f"{job}.0", 0, 0),
        (f"{job}.1", 4, 0),
        (f"{job}.2", 3, 2),
    ]


def test_an_array_partly_cancelled(site: Site, filing: Filing, history: SqlHistory) -> None:
    job = site.submit(count=1_000_000)
    site.start(job, 0, 1, 2)
    site.store.cancel(job, "3-999999", 0)
    site.end(job, job + 1)
    site.end(job + 2, code=1)
    drain(Recorder(site.store, filing))
    assert history.counts(job) == {"Completed": 2, "Failed": 1, "Cancelled": 999_997}
    rows = history.query(Query(limit=3))
    assert [row["jobid"] for row in rows] == [f"{job}_{index}" for index in (999_999, 999_998, 999_997)]
    assert {(row["state"], row["code"], row["run"]) for row in rows} == {("Cancelled", 320, 0)}
    assert [row["jobid"] for row in history.query(Query(states=("Completed",)))] == [f"{job}_1", f"{job}_0"]


def test_it_goes_on_where_it_stood(site: Site, filing: Filing, history: SqlHistory) -> None:
    first = site.submit()
    site.start(first, 0)
    drain(Recorder(site.store, filing))
    site.end(first)
    second = site.ran()
    drain(Recorder(site.store, filing))
    assert [row["id"] for row in history.query(Query())] == [second, first]
    assert history.query(Query())[1]["nodelist"] == ["n1"]
    assert site.store.cursor(CONSUMER) == filing.cursor().text == site.store.last_event()


def test_two_recorders_file_everything_once(site: Site, url: str, history: SqlHistory) -> None:
    databases = [Database(url), Database(url)]
    recorders = [Recorder(site.store, Filing(database)) for database in databases]
    jobs = []
    for turn in range(6):
        job = site.submit()
        site.start(job, 0)
        recorders[turn % 2].step(0.0)
        site.end(job)
        recorders[turn % 2].step(0.0)
        jobs.append(job)
    for recorder in recorders:
        drain(recorder)
        drain(recorder)
    rows = history.query(Query())
    assert [row["id"] for row in rows] == jobs[::-1]
    assert all(row["nodelist"] == ["n1"] and row["leased_at"] for row in rows)
    for database in databases:
        database.close()


def test_a_batch_that_fails_is_filed_later(
    site: Site, filing: Filing, history: SqlHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(site.store, filing)
    drain(recorder)
    job = site.ran()
    at = filing.cursor()
    with monkeypatch.context() as broken:
        broken.setattr(filing, "_write_steps", _fail)
        with pytest.raises(SystemFault):
            recorder.step(0.0)
    assert filing.cursor() == at
    assert history.query(Query()) == []
    drain(recorder)
    assert [row["id"] for row in history.query(Query())] == [job]


def _fail(*_args: object) -> None:
    raise SystemFault("the disk is full")


class TestGap:
    """The database lost what it had, and the stream is gone behind the cursor."""

    @pytest.fixture
    def lost(self, site: Site, tmp_path: Path) -> Callable[[], None]:
        """Files all events in a database that is thrown away, and trims the stream."""

        def lose() -> None:
            site.store.nudge("n1")  # the newest entry is never trimmed: let it be one without a record
            database = Database(f"sqlite:///{tmp_path}/lost.db")
            drain(Recorder(site.store, Filing(database)))
            database.close()
            site.store.set_cursor("leader", site.store.last_event())
            site.store.trim()

        return lose

    def test_live_records_are_read_again(
        self, site: Site, filing: Filing, history: SqlHistory, lost: Callable[[], None]
    ) -> None:
        ended = site.ran(name="ended")
        array = site.submit(count=10, name="array")
        site.start(array, 0, 1)
        site.end(array)
        site.store.cancel(array, "5-6", 0)
        lost()
        site.end(array + 1, code=2)
        drain(Recorder(site.store, filing))
        found = {row["jobid"]: row["state"] for row in history.query(Query())}
        assert found == {
            str(ended): "Completed",
            f"{array}_0": "Completed",
            f"{array}_1": "Failed",
            f"{array}_5": "Cancelled",
            f"{array}_6": "Cancelled",
        }
        assert not filing.has_gap()
        site.start(array, 2)
        site.end(array + 2)
        drain(Recorder(site.store, filing))
        assert history.counts(array) == {"Completed": 2, "Failed": 1, "Cancelled": 2}

    def test_scattered_elements_that_were_cancelled(
        self, site: Site, filing: Filing, history: SqlHistory, lost: Callable[[], None]
    ) -> None:
        array = site.submit(count=5000)
        site.start(array, 0, 2)
        site.store.cancel(array, RangeSet.stride(4, 4998, 2).text, 0)
        lost()
        site.end(array)
        site.store.cancel(array, "1", 0)
        drain(Recorder(site.store, filing))
        assert history.counts(array) == {"Completed": 1, "Cancelled": 2498 + 1}
        assert filing.filed_ranks(array, 5000) == RangeSet.stride(4, 4998, 2) | RangeSet.span(0, 1)
        rows = history.query(Query(limit=3))
        assert [row["rank"] for row in rows] == [4998, 4996, 4994]

    def test_what_runs_again_has_not_ended(
        self, site: Site, filing: Filing, history: SqlHistory, lost: Callable[[], None]
    ) -> None:
        job = site.ran(count=3)
        drain(Recorder(site.store, filing))
        site.store.requeue(job, "0-1")
        site.start(job, 0, run=2)
        lost()
        site.end(job, run=2, code=1)
        drain(Recorder(site.store, filing))
        found = [(row["rank"], row["run"], row["state"]) for row in history.query(Query())]
        assert found == [(2, 1, "Completed"), (1, 1, "Completed"), (0, 2, "Failed"), (0, 1, "Completed")]
        assert history.counts(job) == {"Completed": 1, "Failed": 1}
        assert filing.unfinished() == {job}

    def test_runs_that_nobody_knows_of_are_lost(
        self, site: Site, filing: Filing, history: SqlHistory, lost: Callable[[], None]
    ) -> None:
        job = site.submit()
        site.start(job, 0)
        drain(Recorder(site.store, filing))
        site.end(job)
        lost()
        assert site.store.forget(site.fence, site.store.now() + 1, 10).jobs == 1
        drain(Recorder(site.store, filing))
        (row,) = history.query(Query())
        assert (row["state"], row["code"]) == ("Failed", STATUS_LOST)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(
    site: Site, server: Server, url: str, history: SqlHistory, store: RedisStore, tmp_path: Path
) -> None:
    """A real process is killed between submissions; a cursor in the store tells how far each one came."""
    jobs = [site.ran(count=50) for _ in range(3)]
    for turn in range(5):
        process = _recorder(server.url, url, tmp_path)
        if turn < 4:
            _wait_for_progress(store, process)
        else:
            _wait_until_filed(store)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _run_again(site, jobs[-1])
        jobs.append(site.ran(count=50))
    process = _recorder(server.url, url, tmp_path)
    _wait_until_filed(store)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    rows = history.query(Query(limit=0, steps=False))
    once = [(id, 1) for job in jobs for id in range(job, job + 50)]
    twice = [(job + rank, 2) for job in jobs[2:-1] for rank in range(10)]
    assert [(row["id"], row["run"]) for row in rows] == sorted(once + twice, reverse=True)
    assert all(row["leased_at"] and row["nodelist"] for row in rows)
    assert all(history.counts(job) == {"Completed": 40, "Failed": 10} for job in jobs[2:-1])
    assert [[row["kind"] for row in history.told(job)] for job in jobs[2:-1]] == [["revive"]] * 5


def _run_again(site: Site, job: int) -> None:
    """Ten elements run again, and fail."""
    site.store.requeue(job, "0-9")
    site.start(job, *range(10), run=2)
    site.end(*range(job, job + 10), run=2, code=1)


_PROGRAM = """
import sys
from types import SimpleNamespace
from crane_celery.history.recorder import run
from crane_celery.model.weights import Priority
run(SimpleNamespace(server_url=sys.argv[1], prefix="{test}", history_url=sys.argv[2], min_free_bytes=0,
    min_free_memory=0, priority=Priority(), home=sys.argv[3], log_dir=sys.argv[3]))
"""


def _recorder(server_url: str, url: str, home: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, server_url, url, str(home)])


def _wait_for_progress(store: RedisStore, process: "subprocess.Popen[bytes]") -> None:
    """Until its cursor has moved."""
    before = store.cursor(CONSUMER)
    until(lambda: store.cursor(CONSUMER) != before or process.poll() is not None)
    assert process.poll() is None


def _wait_until_filed(store: RedisStore) -> None:
    until(lambda: store.cursor(CONSUMER) == store.last_event())


def until(true: Callable[[], bool]) -> None:
    """Look again and again, as a cursor's move is no event."""
    deadline, pause = time.monotonic() + 30, threading.Event()
    while not true():
        assert time.monotonic() < deadline
        pause.wait(0.01)


@pytest.mark.parametrize("often", [1, 2, 9])
def test_suspensions_do_not_count_as_run_time(
    site: Site, filing: Filing, history: SqlHistory, monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """However the events are cut into transactions: every ``often`` of them, and however the run ended."""
    array = site.submit(count=3)
    site.start(array, 0, 1, 2)
    began = site.store.now() - 1000  # the node says so
    epoch = site.epochs["n1"]
    ids = [array, array + 1, array + 2]
    site.store.report("n1", epoch, Report(began=[Began(id, 1, began) for id in ids]))
    for at, state in ((100, "Suspended"), (150, "Running"), (300, "Suspended"), (310, "Running")):
        site.store.report("n1", epoch, Report(moved=[Moved(array, 1, state, began + at)]))
    site.store.report("n1", epoch, Report(moved=[Moved(array + 1, 1, "Suspended", began + 400)]))
    live = {element.id: element for element in site.store.elements(ids)}
    for id in ids:
        site.store.report("n1", epoch, Report(ended=[Ended(id, 1, "Completed", 0, began, began + 500)]))
    monkeypatch.setattr(recorder_module, "_BATCH", often)
    drain(Recorder(site.store, filing))
    rows = {row["id"]: row for row in history.query(Query())}
    found = [(rows[id]["elapsed"], rows[id]["suspended_s"]) for id in ids]
    assert found == [pytest.approx(each) for each in ((440.0, 60.0), (400.0, 100.0), (500.0, 0.0))]
    assert [step["elapsed"] for step in rows[array]["steps"]][1] == rows[array]["elapsed"]
    (group,) = history.usage(parse_selectors(str(array)), RangeSet())
    assert group["wall_s"] == pytest.approx(sum(row["elapsed"] for row in rows.values()))
    for element in site.store.elements(ids):
        assert element.elapsed(0.0) == pytest.approx(rows[element.id]["elapsed"])
        assert live[element.id].elapsed(began + 500) == pytest.approx(rows[element.id]["elapsed"])
