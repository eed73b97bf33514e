"""Controlling jobs: who may, holds, suspending, the top of a queue, nodes."""

import pytest

from crane_celery.errors import Denied, InputError, NotSupported
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.node import NodeState
from crane_celery.model.overrides import spec_of
from crane_celery.sched.prioritise import Ranking
from crane_celery.service.control.cancel import Outcome
from crane_celery.store.api import Moved, Report
from tests.unit.service.control.support import record, update
from tests.unit.service.query.test_queue import BOB, ROOT, shown
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster


def test_only_owners_and_operators_control(cluster: Cluster) -> None:
    job, service = submit(cluster), cluster.service
    chosen = parse_selectors(str(job))
    for outcome in (
        update(cluster, job, BOB, comment="mine"),
        service.control.hold(BOB, chosen, True),
        service.control.suspend(BOB, chosen, True),
        service.control.requeue(BOB, chosen),
        service.control.top(BOB, chosen),
    ):
        assert (outcome.done, outcome.failed) == ([], [(str(job), "Permission Denied")])
    assert update(cluster, f"{job},99", ROOT, comment="x") == Outcome([str(job)], [("99", "Job not found")])


def test_a_hold_may_end_by_itself(cluster: Cluster) -> None:
    job = submit(cluster)
    assert cluster.service.control.hold(ALICE, parse_selectors(str(job)), True, "1:00:00").done == [str(job)]
    assert record(cluster, job).held == "0" and record(cluster, job).until
    for bad in ("whenever", "0", "0:00"):
        with pytest.raises(InputError):
            cluster.service.control.hold(ALICE, parse_selectors(str(job)), True, bad)
    assert record(cluster, job).until
    assert cluster.service.control.hold(ALICE, parse_selectors(str(job)), True, "unlimited").done == [str(job)]
    assert not record(cluster, job).until
    cluster.begin(submit(cluster))
    assert cluster.service.control.hold(ALICE, parse_selectors("2"), True).failed == [
        ("2", "Job was not found in pending queue")
    ]


def test_suspending_is_ordered_and_told(cluster: Cluster) -> None:
    array, service = submit(cluster, array="0-3"), cluster.service
    for rank in (1, 2):
        cluster.begin(array, rank)
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_[0-1]"), True) == Outcome(
        [f"{array}_1"], [(f"{array}_0", "Job is not running")]
    )
    assert service.control.suspend(ALICE, parse_selectors(str(array)), True) == Outcome([str(array)], [])
    orders = cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 60).orders
    assert orders == [(array + 1, 1, {"suspend": 1}), (array + 2, 1, {"suspend": 1})]
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(moved=[Moved(array + 1, 1, "Suspended", 0.0)]))
    assert (f"{array}_1", "Suspended", "") in shown(cluster)
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_2"), False).done == [
        f"{array}_2"
    ]  # it is about to be
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_1"), False).done == [f"{array}_1"]
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_3"), False).failed == [
        (f"{array}_3", "Job is not suspended")
    ]


def test_what_was_never_suspended_does_not_go_on(cluster: Cluster) -> None:
    array, service = submit(cluster, array="0-3"), cluster.service
    for rank in (1, 2):
        cluster.begin(array, rank)
    assert service.control.suspend(ALICE, parse_selectors(str(array)), False).failed == [
        (str(array), "Job is not suspended")
    ]
    service.control.suspend(ALICE, parse_selectors(f"{array}_1"), True)
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_[1-2]"), False) == Outcome(
        [f"{array}_1"], [(f"{array}_2", "Job is not suspended")]
    )
    assert service.control.suspend(ALICE, parse_selectors(f"{array}_1"), False).done == []


def test_top_puts_a_job_before_ones_own(cluster: Cluster) -> None:
    first, second, third = submit(cluster), submit(cluster), submit(cluster)
    assert cluster.service.control.top(ALICE, parse_selectors(str(third))).done == [str(third)]
    best = sorted(cluster.store.jobs(), key=lambda job: (-job.priority, job.id))
    assert [job.id for job in best] == [third, first, second]
    assert max(job.priority for job in best) == 1000  # nobody else is passed
    ranking, late = Ranking(), cluster.store.now() + 1e6  # whatever their ages
    value = {job.id: ranking.value(job, spec_of(job.spec, job.changes, 0), late) for job in best}
    assert value[third] > max(value[first], value[second])


def test_nodes(cluster: Cluster) -> None:
    service = cluster.service
    with pytest.raises(Denied):
        service.control.update_node(ALICE, ["cn1"], "drain", "disks")
    with pytest.raises(InputError, match="needs a reason"):
        service.control.update_node(ROOT, ["cn1"], "drain", " ")
    with pytest.raises(InputError, match="did you mean"):
        service.control.update_node(ROOT, ["cn1"], "dran", "x")
    with pytest.raises(NotSupported):
        service.control.update_node(ROOT, ["cn1"], "sleep", "x")
    outcome = service.control.update_node(ROOT, ["cn[1-2]", "cx"], "Drain", "disks")
    assert outcome.done == ["cn1", "cn2"] and outcome.failed[0][0] == "cx"
    assert [node.state for node in cluster.store.nodes()][:3] == [NodeState.DRAIN, NodeState.DRAIN, NodeState.UP]
    assert service.control.update_node(ROOT, ["cn1"], "resume", "").done == ["cn1"]


def test_events_name_whoever_asked(cluster: Cluster) -> None:
    array, service, since = submit(cluster, array="0-3"), cluster.service, cluster.store.last_event()
    for rank in (0, 1):
        cluster.begin(array, rank)
    cluster.end(array + 1, code=1)
    chosen = parse_selectors(str(array))
    service.control.hold(ROOT, chosen, True)
    service.control.hold(ALICE, chosen, False)
    update(cluster, array, comment="x")
    service.control.suspend(ROOT, parse_selectors(f"{array}_0"), True)
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(moved=[Moved(array, 1, "Suspended", 0.0)]))
    service.control.requeue(ALICE, chosen)
    update(cluster, array, dependency=f"after:{submit(cluster)}")
    service.control.top(ROOT, parse_selectors(str(submit(cluster))))
    named = [
        (event.kind, event.data["rows"][0][-1] if event.kind == "move" else event.data["uid"])
        for event in cluster.store.events(since, 0, 1000)
        if event.kind in ("hold", "release", "update", "move", "kill", "revive", "depend")
    ]
    assert named == [
        *(("hold", ROOT.uid), ("release", ALICE.uid), ("update", ALICE.uid), ("move", ROOT.uid)),
        *(("kill", ALICE.uid), ("revive", ALICE.uid), ("depend", ALICE.uid)),
        *(("update", ROOT.uid), ("update", ROOT.uid)),
    ]
