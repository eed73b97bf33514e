"""Test what costs as much as a user's own jobs, however many others there are: the rest is known from the events."""

from collections.abc import Iterable

import pytest

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import Element, Job
from crane_celery.service.control.cancel import How
from crane_celery.service.query.filters import Filters
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster


@pytest.fixture
def asked(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster whose gateway has been asked before; nobody reads all of its jobs or runs from the store again."""
    jobs, elements = cluster.store.jobs, cluster.store.elements

    def named_jobs(ids: Iterable[int] | None = None) -> list[Job]:
        assert ids is not None
        return jobs(ids)

    def named_elements(ids: Iterable[int] | None = None) -> list[Element]:
        assert ids is not None
        return elements(ids)

    cluster.service.query.queue.live.current()
    monkeypatch.setattr(cluster.store, "jobs", named_jobs)
    monkeypatch.setattr(cluster.store, "elements", named_elements)
    return cluster


@pytest.mark.parametrize("how", [How(), How(cascade=True)])
def test_a_cancel_knows_what_waits_for_it(asked: Cluster, how: How) -> None:
    first = submit(asked)
    second = submit(asked, dependency=f"afterok:{first}")
    done = asked.service.control.cancel(ALICE, parse_selectors(str(first)), Filters(), how)
    assert (done.done, done.never) == (([str(first)], 1) if not how.cascade else ([str(first), str(second)], 0))


def test_signals_and_pauses_reach_a_range_of_elements(asked: Cluster) -> None:
    array = submit(asked, array="0-5")
    for rank in (1, 4):
        asked.begin(array, rank)
    chosen = parse_selectors(f"{array}_[0-4]")
    done = asked.service.control.cancel(ALICE, chosen, Filters(), How(signal=10, script=True))
    assert done.failed == [] and done.done == [f"{array}_[0-4]"]
    assert "4" in str(asked.service.control.suspend(ALICE, chosen, True).done)


def test_top_puts_a_job_before_those_that_are_known(asked: Cluster) -> None:
    first, second = submit(asked), submit(asked)
    assert asked.service.control.top(ALICE, parse_selectors(str(second))).done == [str(second)]
    one, two = asked.store.jobs([first, second])
    assert two.priority > one.priority


def test_nodes_say_what_runs_on_them(asked: Cluster) -> None:
    asked.begin(submit(asked))
    used = {record["name"]: record["alloc_cpus"] for record in asked.service.query.nodes()}
    assert used["cn1"] == 1.0 and used["cn2"] == 0.0


def test_a_retry_leaves_out_what_runs(asked: Cluster) -> None:
    array = submit(asked, array="0-3")
    asked.run(array, 0, code=1)
    asked.begin(array, 1)
    (again,) = asked.service.submit.retry(ALICE, parse_selectors(str(array))[0], False, "").ids
    (job,) = asked.store.jobs([again])
    assert job.spec.array == "0" and RangeSet.parse(job.pending).text == "0"
