"""Test who waits for a job, how many are lost with it, and taking them along."""

from pathlib import Path

import pytest

from crane_celery.errors import Denied, InputError
from crane_celery.grammar.selector import parse_selectors
from crane_celery.service.control.cancel import How
from crane_celery.service.query.filters import Filters
from crane_celery.service.shared.resolve import Dependant, resolve
from tests.unit.service.query.test_queue import ALICE, BOB, submit
from tests.unit.service.support import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def chain(cluster: Cluster, length: int) -> list[int]:
    """Jobs of which each needs the one before."""
    ids = [submit(cluster)]
    for _ in range(length - 1):
        ids.append(submit(cluster, dependency=f"afterok:{ids[-1]}"))
    return ids


def test_a_cancel_counts_all_that_is_lost_however_far(cluster: Cluster) -> None:
    ids = chain(cluster, 30)
    submit(cluster, dependency=f"afterany:{ids[0]}")
    cluster.judge()
    assert cluster.service.control.cancel(ALICE, parse_selectors(str(ids[0])), Filters()).never == 29


def test_a_cascade_takes_them_along(cluster: Cluster) -> None:
    ids = chain(cluster, 4)
    other = submit(cluster, dependency=f"afterany:{ids[-1]}")
    outcome = cluster.service.control.cancel(ALICE, parse_selectors(str(ids[1])), Filters(), How(cascade=True))
    assert (outcome.done, outcome.never) == ([str(id_) for id_ in ids[1:]], 0)
    assert [job.id for job in cluster.store.jobs()] == [ids[0], other]


def test_a_cascade_of_one_element(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3")
    other = submit(cluster, array="0-3", dependency=f"aftercorr:{array}")
    outcome = cluster.service.control.cancel(ALICE, parse_selectors(f"{array}_2"), Filters(), How(cascade=True))
    assert outcome.done == [f"{array}_2", f"{other}_2"]


def test_who_waits_for_it(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3")
    one, two = submit(cluster, dependency=f"afterok:{array}_1"), submit(cluster, dependency=f"after:{array}")
    [found] = cluster.service.query.dependents(parse_selectors(f"{array}_1"))
    assert [(each["jobid"], each["text"]) for each in found["dependents"]] == [
        (str(one), f"afterok:{array}_1(unfulfilled)"),
        (str(two), f"after:{array}(unfulfilled)"),
    ]
    assert cluster.service.query.dependents(parse_selectors(f"{array}_0"))[0]["dependents"][0]["jobid"] == str(two)


def test_expand_names_one_job_of_ones_own(cluster: Cluster) -> None:
    job, array = submit(cluster), submit(cluster, array="0-3")
    with pytest.raises(Denied, match="not yours"):
        resolve(f"expand:{job}", cluster.store, cluster.service.past, Dependant(BOB.uid))
    with pytest.raises(InputError, match="one job or one element"):
        submit(cluster, dependency=f"expand:{array}")
    assert submit(cluster, dependency=f"expand:{job}") == array + 4


def test_each_element_shows_its_own_state(cluster: Cluster) -> None:
    array = submit(cluster, array="1-3")
    other = submit(cluster, array="1-3", dependency=f"aftercorr:{array}")
    cluster.run(array, 0, code=1)
    cluster.run(array, 1)
    cluster.judge()
    rows = cluster.service.query.show("job", (), parse_selectors(str(other)))
    assert [(row["jobid"], row["reason"], row["dependency"]["detail"]) for row in rows] == [
        (f"{other}_1", "DependencyNeverSatisfied", f"aftercorr:{array}_*(failed)"),
        (f"{other}_2", "Resource", f"aftercorr:{array}_*(fulfilled)"),
        (f"{other}_3", "Dependency", f"aftercorr:{array}_*(unfulfilled)"),
    ]


@pytest.mark.parametrize("array", ["1-3", "0-4"])
def test_each_element_is_ready_since_its_counterpart_ended(cluster: Cluster, array: str) -> None:
    first = submit(cluster, array=array)
    other = submit(cluster, array="1-3", dependency=f"aftercorr:{first}")
    ids = {index: first + index - int(array[0]) for index in (1, 2, 3)}

    def since(*named: object) -> list[tuple[str, float]]:
        cluster.judge()
        rows = cluster.service.query.show("job", (), parse_selectors(",".join(f"{other}_{each}" for each in named)))
        return [(row["dependency"]["status"], row["dependency"]["ready_at"]) for row in rows]

    def ended(index: int) -> float:
        return cluster.store.elements([ids[index]])[0].ended_at

    for index in (2, 3):
        cluster.run(first, ids[index] - first)
        assert since(index) == [("ReadyAfter", ended(index))]
    (line,) = since("[2-3]")
    assert line[0] == "ReadyAfter" and line[1] >= ended(3)
    assert since(1) == [("WaitForAll", 0.0)]
    cluster.run(first, ids[1] - first)
    assert since(1, 2) == [("ReadyAfter", ended(1)), ("ReadyAfter", ended(2))]
    cluster.begin(other, 1)
    assert since(2) == [("ReadyAfter", ended(2))]


def test_what_came_true_long_ago_is_ready_since_it_was_judged(cluster: Cluster) -> None:
    first = submit(cluster)
    cluster.run(first)
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    assert cluster.store.forget(cluster.fence, cluster.store.now() + 1, 10).jobs == 1
    waiting = submit(cluster, dependency=f"afterok:{first}")
    cluster.judge()
    (row,) = cluster.service.query.show("job", (), parse_selectors(str(waiting)))
    assert row["dependency"]["status"] == "ReadyAfter"
    assert row["submitted_at"] <= row["dependency"]["ready_at"] <= cluster.store.now()
