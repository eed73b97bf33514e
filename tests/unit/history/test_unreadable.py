"""An event that could not be read, or whose text no grammar takes, is set aside by the recorder; the rest is filed."""

from pathlib import Path
from typing import Any, cast

import pytest

from crane_celery import faults, quarantine
from crane_celery.history import sieve
from crane_celery.history.api import Query
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import Event, Position
from crane_celery.model.event_checks import UNREADABLE
from crane_celery.model.job import Job, JobSpec
from crane_celery.store.api import Store

_SPEC = JobSpec(name="a", uid=1, gid=1, user="u", memory=1, array="0-1")
_JOB = Job(id=1, spec=_SPEC, count=2, submitted_at=5.0, pending="0-1")
_GOOD = {"job": 1, "ranks": "0", "uid": 1, "done": False}


class _Stream:
    """These events, once."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def events(self, _after: str, _block_s: float, _limit: int) -> list[Event]:
        found, self._events = self._events, []
        return found

    def set_cursor(self, _name: str, _at: str) -> None:
        """Nothing is trimmed."""


@pytest.mark.parametrize(
    ("kind", "bad"),
    [(UNREADABLE, {**_GOOD, "ranks": 5, "kind": "cancel"}), ("cancel", {**_GOOD, "ranks": "0-,"}), (UNREADABLE, {})],
)
def test_it_is_set_aside_and_the_rest_filed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, bad: dict[str, Any]
) -> None:
    monkeypatch.setattr(faults, "record", lambda *_: None)
    url, aside = f"sqlite:///{tmp_path}/h.db", str(tmp_path / "aside")
    events = [
        Event("1-0", 5.0, "submit", {"job": job_to_json(_JOB)}), Event("2-0", 6.0, kind, bad),
        Event("3-0", 6.0, "cancel", {**_GOOD, "ranks": "1"}),
    ]  # fmt: skip
    database = Database(url)
    filing = Filing(database)
    recorder = Recorder(cast(Store, _Stream(events)), filing, aside)
    recorder._at = filing.cursor()
    recorder.step(0.0)
    assert filing.cursor() == Position(3, 0)
    assert [row["jobid"] for row in SqlHistory(url).query(Query())] == ["1_1"]
    (item,) = quarantine.listed(aside)
    if bad:
        sieve.retry(filing, item._replace(value=[*item.value[:3], {**item.value[3], "ranks": "0"}]))
        assert {row["jobid"] for row in SqlHistory(url).query(Query())} == {"1_0", "1_1"}
    database.close()
