"""A forecast agrees with the cycle, and everybody knows who is ahead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crane_celery.model.job import Job
from crane_celery.model.node import Node
from crane_celery.sched.cycle import schedule
from crane_celery.sched.forecast import ahead, forecast
from crane_celery.sched.plan import Config
from tests.unit.sched.cases import ids, job, node, view

NOW = 100.0


@st.composite
def workloads(draw: st.DrawFn) -> tuple[list[Node], list[Job]]:
    nodes = [node(f"n{number}", cpus=draw(st.integers(1, 4))) for number in range(draw(st.integers(1, 4)))]
    most = max(int(each.spec.cpus) for each in nodes)
    made = []
    for id in range(1, draw(st.integers(2, 12))):
        wide = draw(st.integers(1, len(nodes)))
        fits = sorted((int(each.spec.cpus) for each in nodes), reverse=True)[wide - 1]
        cpus = draw(st.integers(1, min(most, fits)))
        made.append(
            job(id, cpus_per_task=cpus, nodes=wide, ntasks=wide, memory=1, time_limit=draw(st.integers(1, 20)) * 60)
        )
    return nodes, made


@given(workloads())
def test_what_is_expected_now_starts_now(workload: tuple[list[Node], list[Job]]) -> None:
    nodes, jobs = workload
    seen = view(jobs, nodes)
    found = forecast(seen, NOW, Config())
    assert {id for id, each in found.items() if each.start == NOW} == set(ids(schedule(seen, NOW, Config())))


@given(workloads())
def test_the_head_of_those_that_wait_is_never_later_than_the_cycle_promises(
    workload: tuple[list[Node], list[Job]],
) -> None:
    nodes, jobs = workload
    seen = view(jobs, nodes)
    found = forecast(seen, NOW, Config())
    for hold in schedule(seen, NOW, Config()).holds:
        assert found[hold.job + hold.rank].start == hold.start


@given(workloads())
def test_everybody_but_the_first_has_somebody_ahead(workload: tuple[list[Node], list[Job]]) -> None:
    nodes, jobs = workload
    seen = view(jobs, nodes)
    before = sorted(len(ahead(seen, Config(), NOW, each.id)) for each in jobs)
    assert before == list(range(len(jobs)))
