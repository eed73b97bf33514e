"""Test what an event does to records, and what is left of these where only the living is kept."""

from typing import Any

import pytest

from crane_celery.errors import SystemFault
from crane_celery.lifecycle.replay import Records, apply, drop_ended, replay
from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import Event
from crane_celery.model.job import Job, JobSpec
from crane_celery.model.states import State

ARRAY = Job(
    id=1,
    spec=JobSpec(name="a", uid=1, gid=1, user="u", array="0-2"),
    count=3,
    submitted_at=1.0,
    pending="0-2",
    held="",
    ready=0.0,
    dep="",
    priority=0.0,
)


def event(kind: str, **data: Any) -> Event:
    """An event at second 50."""
    return Event("9-0", 50.0, kind, data)


def end(rank: int, state: str, code: int, last: bool = False, run: int = 1) -> list[Any]:
    """A row of an end event."""
    return [1 + rank, 1, rank, run, state, code, 40.0, 50.0, "", 0.0, 0, 0, last]


STARTED = [
    event("submit", job=job_to_json(ARRAY)),
    event("start", fence=1, rows=[[1 + rank, 1, rank, 1, [["n1", 1.0, 1, {}]]] for rank in (0, 2)]),
]


def both(records: Records, *events: Event) -> Records:
    """Apply them, and drop what they have ended."""
    for each in events:
        apply(records, each)
        drop_ended(records, each)
    return records


def test_starts_of_one_event_are_taken_off_together() -> None:
    records = replay(STARTED)
    assert records.jobs[1].pending == "1" and sorted(records.elements) == [1, 3]


def test_ends_of_one_event_are_counted_together_and_once() -> None:
    told = event("end", rows=[end(0, "Completed", 0), end(2, "Failed", 3)])
    job = replay([*STARTED, told, told]).jobs[1]
    assert (job.began, job.ended, job.ok, job.worst_state, job.worst_code) == (2, 2, 1, State.FAILED, 3)
    assert job.ended_at == 0.0
    job = replay([*STARTED, told, event("cancel", job=1, ranks="1", uid=1, done=True)]).jobs[1]
    assert (job.ended, job.gone, job.worst_state, job.ended_at) == (3, 1, State.CANCELLED, 50.0)


def test_an_end_in_no_state_of_an_end_is_a_fault() -> None:
    with pytest.raises(SystemFault, match="from Starting to Running"):
        replay([*STARTED, event("end", rows=[end(0, "Running", 0)])])


def test_what_has_ended_is_dropped() -> None:
    records = both(Records(), *STARTED, event("end", rows=[end(0, "Completed", 0)]))
    assert sorted(records.elements) == [3] and records.begun == set() and records.jobs[1].pending == "1"
    both(records, event("again", rows=[end(2, "Failed", 326, last=True)]))
    assert records.elements == {} and (records.jobs[1].pending, records.jobs[1].held) == ("1-2", "2")
    both(records, event("cancel", job=1, ranks="1-2", uid=1, done=True))
    assert records.jobs == {}


def test_the_last_end_drops_the_submission() -> None:
    assert both(Records(), *STARTED, event("end", rows=[end(0, "Completed", 0, last=True)])).jobs == {}
