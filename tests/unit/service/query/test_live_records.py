"""The records in memory follow the events of control."""

from typing import Any

import pytest

from crane_celery.model.asjson import job_to_json
from crane_celery.model.event import Event
from crane_celery.model.states import State
from crane_celery.service.query.live_records import Live
from tests.unit.service.submit.test_accept import submit
from tests.unit.service.support import Cluster


@pytest.fixture
def told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tell the records of an event that no store has made."""
    live = Live(cluster.store)

    def tell(kind: str, **data: Any) -> Any:
        shot = live.current()
        live._apply(Event("9-9", 50.0, kind, data))
        live._changed = True
        monkeypatch.setattr(cluster.store, "events", lambda *_: [])
        after = live.current()
        assert after.version > shot.version
        return after

    return tell


def test_a_run_that_is_pending_again(cluster: Cluster, told: Any) -> None:
    array = submit(cluster, array="0-3")
    id_ = cluster.begin(array, 2)
    row = [id_, array, 2, 1, "Failed", 326, 1.0, 2.0, "", 0.0, 0, True]
    after = told("again", rows=[row])
    assert [(job.pending, job.held) for job in after.jobs] == [("0-3", "2")] and after.elements == []
    assert told("again", rows=[row]).jobs[0].pending == "0-3"  # told twice, it is no news


def test_what_was_changed(cluster: Cluster, told: Any) -> None:
    array = submit(cluster, array="0-3")
    changes = '[["0-3",{"priority":7}]]'
    after = told("update", job=array, ranks="0-3", set={"priority": 7}, changes=changes)
    assert (after.jobs[0].changes, after.jobs[0].priority) == (changes, 7.0)
    after = told("update", job=array, ranks="1", set={"priority": 9}, changes='[["1",{"priority":9}]]')
    assert after.jobs[0].priority == 7.0


def test_what_had_ended_lives_again(cluster: Cluster, told: Any) -> None:
    job = submit(cluster)
    (record,) = cluster.store.jobs([job])
    cluster.run(job)
    assert [each.id for each in told("revive", job=job_to_json(record), ranks="0", held=False).jobs] == [job]


def test_a_pause_does_not_count(cluster: Cluster, told: Any) -> None:
    job = submit(cluster)
    cluster.begin(job)
    (element,) = told("move", node="cn1", rows=[[job, job, 1, "Suspended", 100.0]]).elements
    assert element.state is State.SUSPENDED and element.elapsed(500.0) == element.elapsed(100.0)
    (element,) = told("move", node="cn1", rows=[[job, job, 1, "Running", 130.0]]).elements
    assert (element.state, element.suspended_s, element.suspended_at) == (State.RUNNING, 30.0, 0.0)


def test_an_event_that_makes_no_sense_is_stepped_over_and_all_is_read_anew(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, job = Live(cluster.store), submit(cluster)
    assert [each.id for each in live.current().jobs] == [job]
    gone = {"done": True, "job": job, "ranks": "0"}
    bad = [Event("9-9", 50.0, "end", {"rows": [[1]]}), Event("9-10", 50.0, "cancel", gone)]
    served = iter([bad])
    with monkeypatch.context() as patched:
        patched.setattr(cluster.store, "events", lambda *_: next(served, []))
        assert live.current().jobs == []
        assert [each.id for each in live.current().jobs] == [job]
