"""Why jobs wait and when they are expected to start, over a small cluster in memory."""

from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import Denied, Infeasible, InputError, NotFound
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import Allocation
from crane_celery.model.node import Partition
from crane_celery.sched.draining import Drain
from crane_celery.sched.noted import Noted, encode
from crane_celery.service.query.listing import Wanted
from crane_celery.service.shared.caller import Caller
from crane_celery.store.api import Began, Report, Start
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import GIB, Cluster


def told(cluster: Cluster, ids: str) -> list[str]:
    """The lines about the only job named."""
    (record,) = cluster.service.query.explain(parse_selectors(ids), "UTC")
    lines: list[str] = record["lines"]
    return lines


def full(cluster: Cluster, node: str, cpus: float = 16, limit: str = "10") -> int:
    """A job that holds so many CPUs of a node for ten minutes; its id."""
    id = submit(cluster, time=limit, cpus_per_task=str(int(cpus)))
    assert cluster.store.start(cluster.fence, [Start(id, 0, 1, (Allocation(node=node, cpus=cpus, memory=GIB),))]) == [
        ""
    ]
    cluster.store.report(node, cluster.epochs[node], Report(began=[Began(id, 1, cluster.store.now())]))
    return id


def starts(cluster: Cluster, ids: str = "") -> dict[str, float]:
    return cluster.service.query.start(parse_selectors(ids) if ids else ())


def dry(cluster: Cluster, caller: Caller = ALICE, **options: object) -> dict[str, Any]:
    return cluster.service.submit.dry_run(caller, [{"options": options, "script": "true", "cwd": "/w"}])


def test_room_in_numbers_who_is_ahead_and_when(cluster: Cluster) -> None:
    for node, cpus in (("cn1", 16), ("cn2", 12), ("cn3", 16), ("cn4", 16)):
        full(cluster, node, cpus)
    first = submit(cluster, cpus_per_task="8", time="5")
    second = submit(cluster, cpus_per_task="8", gres="gpu:1", time="5", exclude="cn4")
    lines = told(cluster, str(first))
    assert lines[0] == "Pending: Resource; CPUs on one node: 8 needed, 4 there"
    assert lines[1].startswith("Needs: a node with 8 CPUs, ")
    assert lines[2] == "Room now: on 0 of the 4 nodes of partition main"
    assert lines[3] == "Not on 4 nodes: too few CPUs free, 8 needed, at most 4 there, 4 short"
    assert lines[4].startswith("Expected start: 20") and " on cn" in lines[4]
    lines = told(cluster, str(second))
    assert "Not on 2 nodes: too few gpu, 1 needed, at most 0 there, 1 short" in lines
    assert "Not on 1 node: excluded by the job" in lines
    assert f"Ahead: {first} (submitted earlier)" in lines


def test_expected_starts_follow_time_limits(cluster: Cluster) -> None:
    for node in ("cn1", "cn2", "cn3", "cn4"):
        full(cluster, node, limit="10" if node == "cn2" else "20")
    now = cluster.store.now()
    one, two = (submit(cluster, cpus_per_task="16", time="5") for _ in range(2))
    found = starts(cluster)
    assert set(found) == {str(one), str(two)} and found == starts(cluster, f"{one},{two}")
    assert 595 < found[str(one)] - now < 605
    assert found[str(two)] == found[str(one)] + 300
    assert set(starts(cluster, str(one))) == {str(one)}


def test_nobody_knows_behind_jobs_without_a_limit(cluster: Cluster) -> None:
    for node in ("cn1", "cn2", "cn3", "cn4"):
        full(cluster, node, limit="0")
    waiting = submit(cluster, cpus_per_task="16")
    assert starts(cluster) == {}
    assert told(cluster, str(waiting))[-1].startswith("Expected start: unknown")


def test_what_is_not_in_line_says_what_it_waits_for(cluster: Cluster) -> None:
    held, one = submit(cluster, hold=True), submit(cluster)
    dependent = submit(cluster, dependency=f"afterok:{one}")
    assert told(cluster, str(held)) == ["Pending: Held", "Until: nothing of it starts until it is released"]
    assert told(cluster, str(dependent)) == [
        "Pending: Dependency",
        "Until: it starts once what it waits for has come true",
        f"Waits for: afterok:{one}",
    ]
    later = submit(cluster, begin="2099-01-01T00:00")
    assert [line.partition(" ")[0] for line in told(cluster, str(later))] == ["Pending:", "Begin:"]


def test_an_array_by_its_parts(cluster: Cluster) -> None:
    array = submit(cluster, array="0-9", cpus_per_task="16", time="5")
    cluster.begin(array, 1)
    cluster.service.control.hold(ALICE, parse_selectors(f"{array}_[4-9]"), True)
    lines = told(cluster, str(array))
    assert "Pending (4-9): Held" in lines and lines[-1] == "Running: 1 of its elements"
    assert any(line.startswith("Pending (0,2-3): ") for line in lines)
    assert told(cluster, f"{array}_1") == ["Running: 1 of its elements"]


def test_the_queue_and_the_explanation_give_one_reason(tmp_path: Path) -> None:
    parts = {
        name: Partition(name=name, nodes=("cn1", "cn2"), max_jobs=most) for name, most in (("main", 0), ("few", 1))
    }
    cluster = Cluster(tmp_path, licenses={"matlab": 1, "ansys": 3}, max_jobs=4, partitions=parts)

    def reasons(*jobs: int) -> list[str]:
        rows = {int(row["jobid"]): row["reason"] for row in cluster.service.query.jobs(Wanted()).rows}
        found = [rows[job] for job in jobs]
        assert [told(cluster, str(job))[0].removeprefix("Pending: ").split(";")[0] for job in jobs] == found
        return found

    holder = submit(cluster, licenses="matlab:1")
    take = Allocation(node="cn1", cpus=1.0, memory=GIB, gres={"license:matlab": (0,)})
    assert cluster.store.start(cluster.fence, [Start(holder, 0, 1, (take,))]) == [""]
    short = [submit(cluster, licenses=text) for text in ("matlab:1", "matlab:1,ansys:1", "matlab:1|ansys:3")]
    assert reasons(*short) == ["Licenses"] * 3  # ansys is withheld for the one before it
    cluster.begin(submit(cluster, partition="few"))
    again = submit(cluster, partition="few")
    assert reasons(again) == ["UserPartitionJobsLimit"]
    for _ in range(2):
        cluster.begin(submit(cluster))
    assert reasons(*short, again) == ["UserPartitionJobsLimit"] * 4


def test_nobody_is_told_about_what_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match="99"):
        told(cluster, "99")


def test_nodes_are_drained_for_it_and_how_many_jobs_have_to_end(cluster: Cluster) -> None:
    for _ in range(2):
        full(cluster, "cn1", 8, "0")
    big = submit(cluster, nodelist="cn1", cpus_per_task="16")
    assert any(line.startswith("Drained for it: no node yet") for line in told(cluster, str(big)))
    now = cluster.store.now()
    cluster.store.note_plan(cluster.fence, encode(Noted([Drain(big, 0, "main", now, 0, ("cn1",), now)])))
    (line,) = [line for line in told(cluster, str(big)) if line.startswith("Drained")]
    assert "cn1, which starts nothing else" in line
    assert line.endswith("it waits for the end of 2 running jobs, which have no time limit")


# --- --test-only


def test_a_test_says_when_and_where_and_stores_nothing(cluster: Cluster) -> None:
    for node in ("cn1", "cn2", "cn3", "cn4"):
        full(cluster, node, 8)
    before, now = len(cluster.store.jobs()), cluster.store.now()
    found = dry(cluster, cpus_per_task="4")
    assert (found["nodes"], found["reason"]) == ("cn1", "") and found["start"] - now < 5
    found = dry(cluster, cpus_per_task="16", nodes="2", ntasks="2")
    assert found["nodes"] == "cn[1-2]" and 595 < found["start"] - now < 605
    found = dry(cluster, cpus_per_task="16", begin="now+1hour")
    assert 3595 < found["start"] - now < 3605
    assert dry(cluster, array="0-99", cpus_per_task="4")["nodes"] == "cn1"
    assert len(cluster.store.jobs()) == before


def test_a_test_says_why_nobody_knows(cluster: Cluster) -> None:
    one = full(cluster, "cn1", limit="0")
    assert dry(cluster, hold=True)["reason"] == "Held"
    assert dry(cluster, dependency=f"afterok:{one}")["reason"] == "Dependency"
    assert dry(cluster, nodelist="cn1", cpus_per_task="16") == {
        "start": 0.0,
        "nodes": "",
        "reason": "Resource; nodes with room for all of it: 1 needed, 0 there",
        "notices": [],
    }


def test_a_test_is_refused_as_the_submission_would_be(cluster: Cluster) -> None:
    with pytest.raises(Infeasible):
        dry(cluster, cpus_per_task="64")
    with pytest.raises(InputError, match="one job is tested"):
        cluster.service.submit.dry_run(ALICE, [])


def test_root_is_refused_a_test_where_it_may_not_submit(tmp_path: Any) -> None:
    cluster = Cluster(tmp_path, allow_root=False)
    with pytest.raises(Denied):
        dry(cluster, Caller(0, 0, 1))
