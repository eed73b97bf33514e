"""``cqueue`` and ``ccontrol explain`` give one reason, over random clusters, whatever the scheduler has noted."""

import tempfile
from pathlib import Path
from types import MethodType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_celery.errors import CraneError
from crane_celery.grammar.selector import parse_selectors
from crane_celery.sched.cycle import schedule
from crane_celery.sched.noted import decode, encode, noted
from crane_celery.sched.snapshot import view_of
from crane_celery.service.query.forecast import config_of
from crane_celery.service.query.listing import Wanted
from crane_celery.service.shared.caller import Caller
from crane_celery.store.api import Start
from crane_celery.store.memory import MemoryStore
from tests.unit.service.support import Cluster

USERS = [Caller(1000, 1000, 1), Caller(1001, 1001, 2)]
OPTIONS = st.fixed_dictionaries(
    {"cpus_per_task": st.sampled_from(["1", "8", "16"])},
    optional={
        "array": st.sampled_from(["0-3", "0-5%1"]),
        "hold": st.just(True),
        "begin": st.just("2099-01-01T00:00"),
        "licenses": st.just("matlab:1"),
        "partition": st.just("small"),
        "nodes": st.just("2"),
        "time": st.just("10"),
        "dependency": st.sampled_from(["afterok:1", "singleton"]),
    },
)
#: what happens: a submission of a user; the leader plans, starts some of it or none, and notes it; a node goes down
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(USERS), OPTIONS), st.sampled_from(["plan", "start", "judge"]), st.integers(1, 4)
    ),
    min_size=2,
    max_size=12,
)


def lead(cluster: Cluster, start: bool) -> None:
    """One turn of a leader."""
    store, given = cluster.store, cluster.settings
    shot = store.snapshot()
    view = view_of(given.partitions, shot.now, shot.jobs, shot.elements, shot.nodes)
    plan = schedule(view, shot.now, config_of(given), None, decode(store.noted_plan()).drains)
    if start:
        store.start(cluster.fence, [Start(*each) for each in plan.starts])
    store.note_plan(cluster.fence, encode(noted(plan)))


def act(cluster: Cluster, step: object) -> None:
    match step:
        case (caller, options):
            job = {"options": options, "script": "true", "cwd": "/w"}
            try:
                cluster.service.submit.accept(caller, [job], {}, "")
            except CraneError:
                return  # a dependency on a job that there is not
        case int(number):
            cluster.service.control.update_node(Caller(0, 0, 1), [f"cn{number}"], "down", "test")
        case "judge":
            cluster.judge()
        case _:
            lead(cluster, step == "start")


def listed(cluster: Cluster) -> dict[str, list[str]]:
    """The reasons of each job's lines in the queue."""
    found: dict[str, list[str]] = {}
    for row in cluster.service.query.jobs(Wanted()).rows:
        if row["state"] == "Pending":
            which = f" ({row['indexes']})" if row["indexes"] else ""
            found.setdefault(str(row["job"]), []).append(f"Pending{which}: {row['reason']}")
    return {job: sorted(lines) for job, lines in found.items()}


def explained(cluster: Cluster, job: str) -> list[str]:
    (record,) = cluster.service.query.explain(parse_selectors(job), "UTC")
    return sorted(line.partition(";")[0] for line in record["lines"] if line.startswith("Pending"))


@given(steps=STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_queue_and_the_explanation_never_differ(steps: list[object]) -> None:
    with tempfile.TemporaryDirectory() as home:
        cluster = Cluster(Path(home), licenses={"matlab": 1}, max_jobs=3)
        cluster.store.noted_plan = MethodType(MemoryStore.noted_plan, cluster.store)
        for step in steps:
            act(cluster, step)
        found = listed(cluster)
        assert found == {job: explained(cluster, job) for job in found}
