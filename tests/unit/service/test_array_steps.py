"""Which steps of an array's elements a step's id means."""

import pytest

from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import StepRow
from crane_celery.model.states import State
from crane_celery.service.control.cancel import How
from crane_celery.service.query.filters import Filters
from crane_celery.store.api import Report
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster


def steps(cluster: Cluster, *ids: int, state: State = State.RUNNING) -> None:
    """Step 2 of each of these elements."""
    rows = [StepRow(job=id_, run=1, step=2, name="s", state=state, node="cn1", began_at=1.0) for id_ in ids]
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(steps=rows))


def stopped(cluster: Cluster) -> list[int]:
    """The elements of which a step was told to stop."""
    return [
        row[0]
        for event in cluster.store.events("0", 0, 1000)
        if event.kind == "kill_step"
        for row in event.data["rows"]
    ]


@pytest.fixture
def array(cluster: Cluster) -> int:
    """An array of four: all but the last run, with a step each."""
    job = submit(cluster, array="1-4")
    steps(cluster, *(cluster.begin(job, rank) for rank in range(3)))
    return job


@pytest.mark.parametrize(
    ("ids", "hit"),
    [("{}.2", [0]), ("{}_1.2", [0]), ("{}_[2-3].2", [1, 2]), ("{}_[3-4].2", [2]), ("{}_*.2", [0, 1, 2])],
)
def test_steps_are_stopped(cluster: Cluster, array: int, ids: str, hit: list[int]) -> None:
    named = ids.format(array)
    outcome = cluster.service.control.cancel(ALICE, parse_selectors(named), Filters())
    assert (outcome.done, outcome.failed) == ([named], [])
    assert stopped(cluster) == [array + rank for rank in hit]
    shown = cluster.service.query.show("step", (), parse_selectors(named))
    assert sorted(row["id"] for row in shown) == [array + rank for rank in hit]


@pytest.mark.parametrize(("ids", "hit"), [("{}.1", [0]), ("{}_[2-3].1", [1, 2]), ("{}_*.1", [0, 1, 2])])
def test_the_script_of_an_element_is_its_first_step(cluster: Cluster, array: int, ids: str, hit: list[int]) -> None:
    cluster.service.control.cancel(ALICE, parse_selectors(ids.format(array)), Filters())
    kills = cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 1.0).kills
    assert sorted(id_ for id_, _, _ in kills) == [array + rank for rank in hit]


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ("{}_4.2", "Job is not running"),
        ("{}_[1-3].7", "Step not found"),
        ("{}_9.2", "its indexes are 1-4"),
    ],
)
def test_steps_that_are_not_there(cluster: Cluster, array: int, ids: str, why: str) -> None:
    [(shown, said)] = cluster.service.control.cancel(ALICE, parse_selectors(ids.format(array)), Filters()).failed
    assert shown == ids.format(array) and why in said and not stopped(cluster)


def test_steps_that_have_ended(cluster: Cluster, array: int) -> None:
    steps(cluster, array, array + 1, state=State.COMPLETED)
    [(_, said)] = cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_[1-2].2"), Filters()).failed
    assert said == "Step has already ended (Completed)"
    cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_[1-3].2"), Filters())
    assert stopped(cluster) == [array + 2]


def test_a_signal_to_the_scripts_of_a_range(cluster: Cluster, array: int) -> None:
    cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_[2-4]"), Filters(), How(10, script=True))
    assert stopped(cluster) == [array + 1, array + 2]
