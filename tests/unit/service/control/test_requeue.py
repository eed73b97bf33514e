"""Jobs that run again because somebody asked for it."""

from pathlib import Path
from typing import Any

import pytest

from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import WAITING
from crane_celery.model.states import State
from crane_celery.service.control.requeue import How, Result
from crane_celery.service.query.filters import Filters
from tests.unit.service.control.support import of, record, update
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster


def requeue(cluster: Cluster, ids: object, **how: Any) -> Result:
    """Requeue as Alice."""
    return cluster.service.control.requeue(ALICE, parse_selectors(str(ids)), How(**how))


def test_requeueing(cluster: Cluster) -> None:
    array = submit(cluster, array="1-4")
    for rank in range(4):
        cluster.begin(array, rank)
    cluster.end(array + 1)
    assert requeue(cluster, array, incomplete=True, running=True) == Result(
        [str(array)],
        [],
        (f"Of {array}, 3 at work are stopped and run again; 1 has completed: left as they are.",),
    )
    for id_ in (array, array + 2, array + 3):
        cluster.end(id_)
    assert record(cluster, array).pending == "0,2-3" and record(cluster, array).ok == 1
    assert requeue(cluster, f"{array}_2", hold=True).done == [f"{array}_2"]
    assert (record(cluster, array).pending, record(cluster, array).held) == ("0-3", "1")
    assert requeue(cluster, array).failed == [(str(array), "Job is pending already")]


def test_what_was_cancelled_before_it_started_runs_too(cluster: Cluster) -> None:
    array, job = submit(cluster, array="1-5"), submit(cluster)
    cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_[2-3],{job}"), Filters())
    cluster.run(array, 0, code=1)
    cluster.begin(array, 3)
    assert requeue(cluster, f"{job},{array}_2") == Result([str(job), f"{array}_2"], [])
    assert (record(cluster, job).pending, record(cluster, job).ended_at, record(cluster, job).worst_state) == (
        "0",
        0,
        None,
    )
    assert (record(cluster, array).pending, record(cluster, array).worst_state) == ("1,4", State.CANCELLED)
    said = f"Of {array}, 2 run again (1 of them had never started); 1 is at work, 2 are pending: left as they are."
    assert requeue(cluster, array, incomplete=True) == Result([str(array)], [], (said,))
    found = record(cluster, array)
    assert (found.pending, found.worst_state, found.worst_code, found.gone) == ("0-2,4", None, 0, 0)


def test_what_runs_again_may_be_changed(cluster: Cluster) -> None:
    """Only that: what completed, is at work or waits stays as it was."""
    array = submit(cluster, array="1-5", mem="1G", time="1")
    cluster.run(array, 0)
    cluster.run(array, 1, code=1)
    cluster.begin(array, 2)
    cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_4"), Filters())
    done = requeue(cluster, array, incomplete=True, changes={"mem": "2G", "TimeLimit": "+30", "arraytaskthrottle": "2"})
    assert (done.done, done.failed) == ([str(array)], [])
    gib = [int(str(of(cluster, array, rank, "memory"))) >> 30 for rank in range(5)]
    assert gib == [1, 2, 1, 2, 1] and record(cluster, array).pending == "1,3-4"
    assert [of(cluster, array, rank, "time_limit") for rank in (0, 1)] == [60, 1860]
    assert of(cluster, array, 0, "throttle") == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mem": "lots"}, "mem=lots: bad memory size"),
        ({"mem": "9T"}, "on one node were asked for"),
        ({"memory": "1G"}, "unknown key 'memory'"),
        ({"dependency": "afterok:99"}, "does not exist"),
        ({"priority": "5000"}, "only operators raise"),
    ],
)
def test_a_change_that_is_wrong_requeues_nothing(cluster: Cluster, changes: dict[str, str], why: str) -> None:
    job = submit(cluster)
    cluster.run(job, code=1)
    before = record(cluster, job)
    [(_, said)] = requeue(cluster, job, changes=changes).failed
    assert why in said and record(cluster, job) == before


def test_of_a_part_nothing_of_the_whole_is_changed(cluster: Cluster) -> None:
    array = submit(cluster, array="1-2")
    cluster.run(array, 0, code=1)
    [(_, why)] = requeue(cluster, f"{array}_1", changes={"arraymaxfails": "1"}).failed
    assert why == f"arraymaxfails is of the whole array: write {array}"
    assert record(cluster, array).pending == "1"


def test_a_requeued_job_may_wait_for_another(cluster: Cluster) -> None:
    """Check that what was cancelled since the first one failed runs after the one that was submitted instead."""
    first = submit(cluster)
    then = submit(cluster, dependency=f"afterok:{first}")
    cluster.run(first, code=1)
    cluster.judge()
    cluster.service.control.cancel(ALICE, parse_selectors(str(then)), Filters())
    second = submit(cluster)
    assert requeue(cluster, then, changes={"dependency": f"afterok:{second}"}).done == [str(then)]
    cluster.judge()
    assert record(cluster, then).ready == WAITING
    cluster.run(second)
    cluster.judge()
    assert record(cluster, then).ready > 0


def test_nothing_is_incomplete(cluster: Cluster) -> None:
    array = submit(cluster, array="1-3")
    cluster.run(array, 0)
    cluster.begin(array, 1)
    why = "nothing of it has ended without completing: 1 has completed, 1 is at work, 1 is pending"
    assert requeue(cluster, array, incomplete=True) == Result([], [(str(array), why)])
    assert record(cluster, array).pending == "2"


def test_what_has_left_the_server_is_not_requeued(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    array, job = submit(cluster, array="3-5"), submit(cluster)
    for rank, code in ((0, 0), (1, 1), (2, 0)):
        cluster.run(array, rank, code)
    cluster.run(job)
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    assert cluster.store.forget(cluster.fence, cluster.store.now() + 1, 9).jobs == 2
    monkeypatch.setattr(cluster.service.past, "array_of", lambda id_: "3-5" if id_ == array else "")
    gone = dict(requeue(cluster, f"{array},{job},99", incomplete=True).failed)
    assert "has left the server" in gone[str(array)] and gone[str(array)].endswith("again with --array=4")
    assert "has left the server" in gone[str(job)] and gone[str(job)].endswith("submit it again")
    assert gone["99"] == "Job not found"


def test_requeues_that_are_refused(cluster: Cluster) -> None:
    job, service = submit(cluster), cluster.service
    cluster.begin(job)
    update(cluster, job, requeue="no")
    assert service.control.requeue(ALICE, parse_selectors(str(job))).failed == [(str(job), "Job requested no requeue")]


def test_requeues_are_refused_where_the_cluster_has_none(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, job_requeue=False)
    job = submit(cluster)
    cluster.begin(job)
    outcome = cluster.service.control.requeue(ALICE, parse_selectors(str(job)))
    assert outcome.failed == [(str(job), "Job requeue is disabled by configuration")]
