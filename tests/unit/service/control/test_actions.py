"""Controlling jobs: what each key of an update means, who may, what is refused and changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import Denied, InputError, NotSupported
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import WAITING, Job
from crane_celery.model.node import NodeState
from crane_celery.model.overrides import spec_of
from crane_celery.model.states import State
from crane_celery.sched.prioritise import Ranking
from crane_celery.service.control.cancel import Outcome
from crane_celery.service.control.requeue import How, Result
from crane_celery.service.query.filters import Filters
from crane_celery.service.shared.caller import Caller
from crane_celery.store.api import Moved, Report
from tests.unit.service.query.test_queue import BOB, ROOT, shown
from tests.unit.service.submit.test_accept import ALICE, submit
from tests.unit.service.support import Cluster


def update(cluster: Cluster, ids: object, caller: Caller = ALICE, **wanted: str) -> Outcome:
    """Change jobs as somebody."""
    return cluster.service.control.update(caller, parse_selectors(str(ids)), wanted, "+0000")


def record(cluster: Cluster, job: int) -> Job:
    """A submission that is there."""
    found = cluster.store.job(job)
    assert found
    return found


def of(cluster: Cluster, job: int, rank: int, name: str) -> object:
    """A field in force for one rank."""
    found = record(cluster, job)
    return getattr(spec_of(found.spec, found.changes, rank), name)


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("timelimit", "1:00:00", "time_limit", 3600),
        ("TimeLimit", "90", "time_limit", 5400),
        ("timelimit", "+30", "time_limit", 1860),
        ("timelimit", "unlimited", "time_limit", None),
        ("priority", "5", "priority", 5),
        ("priority", "5.25", "priority", 5.2),
        ("priority", "0", "priority", 1000),
        ("comment", "a=b", "comment", "a=b"),
        ("jobname", "other", "name", "other"),
        ("starttime", "now", "begin", None),
        ("deadline", "none", "deadline", 0.0),
        ("partition", "small", "partition", "small"),
        ("nodelist", "cn[1-2]", "nodelist", ("cn1", "cn2")),
        ("excludenodelist", "cn3", "exclude", ("cn3",)),
        ("requeue", "no", "requeue", "never"),
        ("requeue", "1", "requeue", "failure"),
        ("mailuser", "a@b", "extra", '{"mail_user": "a@b"}'),
        ("numnodes", "2", "ntasks", 2),
        ("cpuspertask", "0.5", "cpus_per_task", 0.5),
        ("mempernode", "2G", "memory", 2 << 30),
        ("mempernode", "0", "memory", 32 << 30),
        ("mempernode", "0", "whole_memory", True),
        ("gres", "gpu:a100:1", "gres", {"gpu:a100": 1}),
        ("exclusive", "yes", "exclusive", True),
        ("killoninvaliddep", "no", "kill_on_invalid_dep", "no"),
        ("maxfails", "3", "max_fails", 3),
    ],
)
def test_keys(cluster: Cluster, key: str, value: str, field: str, expected: object) -> None:
    job = submit(cluster, time="1:00")
    assert update(cluster, job, ROOT, **{key: value}) == Outcome([str(job)], [])
    assert (expected is None and field != "time_limit") or of(cluster, job, 0, field) == expected


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("timelimit", "soon", "timelimit=soon: bad time span"),
        ("timelimit", "-5:00:00", "nothing would be left"),
        ("priority", "high", "not a number from 0"),
        ("priority", "-1", "not a number from 0"),
        ("priority", "nan", "not a number from 0"),
        ("priority", "1001", "only operators raise a priority"),
        ("deadline", "2020-01-01", "that time is past"),
        ("starttime", "whenever", "bad time"),
        ("partition", "mian", "did you mean"),
        ("nodelist", "cn9", "there is no node 'cn9'; did you mean 'cn4'"),
        ("nodelist", "zz", "there is no node 'zz': there are cn1, cn2, cn3, cn4"),
        ("partition", "zz", "no such partition: there are main, small"),
        ("jobname", "", "jobname=: a job needs a name"),
        ("name", " ", "a job needs a name"),
        ("jobname", "a\x1b[2Jb", "take out the control character"),
        ("requeue", "maybe", "write yes or no"),
        ("numnodes", "0", "not a whole number from 1"),
        ("numnodes", "99", "nodes were asked for"),
        ("cpuspertask", "17", "CPUs"),
        ("arraytaskthrottle", "3", "no array"),
        ("dependency", "afterok:", "dependency"),
        ("timelimt", "5", "did you mean"),
        ("xyzzy", "5", "there are jobname"),
    ],
)
def test_bad_values_change_nothing(cluster: Cluster, key: str, value: str, why: str) -> None:
    job = submit(cluster, time="1:00:00")
    before = record(cluster, job)
    outcome = update(cluster, job, comment="x", **{key: value})
    assert not outcome.done and why in outcome.failed[0][1], outcome
    assert record(cluster, job) == before


def test_elements_are_changed_by_index_by_range_and_by_plain_id(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3", time="1")
    assert update(cluster, f"{array}_2", timelimit="2").done == [f"{array}_2"]
    assert [of(cluster, array, rank, "time_limit") for rank in range(4)] == [60, 60, 120, 60]
    assert update(cluster, array + 2, timelimit="4").done == [str(array + 2)]
    assert update(cluster, f"{array}_[0,3]", comment="ends").failed == []
    assert [of(cluster, array, rank, "time_limit") for rank in range(4)] == [60, 60, 240, 60]
    assert [of(cluster, array, rank, "comment") for rank in range(4)] == ["ends", "", "", "ends"]


def test_what_starts_differently_can_be_changed_while_pending_only(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3", time="1")
    cluster.begin(array, 1)
    [(_, why)] = update(cluster, f"{array}_1", partition="main").failed
    assert why == "partition can only be changed while a job is pending"
    assert update(cluster, array, nodelist="cn2", comment="all").failed == []
    assert [of(cluster, array, rank, "nodelist") for rank in range(3)] == [("cn2",), (), ("cn2",)]
    assert of(cluster, array, 1, "comment") == "all"


def test_a_new_limit_is_ordered_of_what_runs(cluster: Cluster) -> None:
    array = submit(cluster, array="0-1", time="1")
    one = cluster.begin(array, 1)
    update(cluster, array, timelimit="5", deadline="now+1hour")
    [(id_, run, wanted)] = cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 60).orders
    assert (id_, run, wanted["limit"]) == (one, 1, 300) and wanted["deadline"] > cluster.store.now()


def test_a_limit_beyond_the_partition_is_an_operators(cluster: Cluster) -> None:
    job = submit(cluster, partition="small")
    assert "beyond partition small's maximum 01:00:00" in update(cluster, job, timelimit="2:00:00").failed[0][1]
    assert update(cluster, job, ROOT, timelimit="2:00:00").done == [str(job)]


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


def test_a_throttle_is_of_the_whole_array(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3%1")
    assert (
        f"arraytaskthrottle is of the whole array: write {array}"
        in update(cluster, f"{array}_1", arraytaskthrottle="2").failed[0][1]
    )
    assert update(cluster, array, arraytaskthrottle="2").done == [str(array)]
    assert shown(cluster) == [(f"{array}_[0-3%2]", "Pending", "Resource")]


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
    """What was cancelled since the first one failed runs after the one that was submitted instead."""
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


def test_a_pending_job_gets_another_dependency(cluster: Cluster) -> None:
    one, two = submit(cluster), submit(cluster)
    waits = submit(cluster, dependency=f"afterok:{one}")
    assert update(cluster, waits, dependency=f"afterany:{two}").done == [str(waits)]
    assert of(cluster, waits, 0, "dependency") == f"afterany:{two}" and record(cluster, waits).ready == -1
    cluster.run(two)
    cluster.judge()
    assert record(cluster, waits).ready > 0
    for wrong in ("afterok:99", "afterok", f"afterok:{one},afterok:{one}"):
        assert update(cluster, waits, dependency=wrong, comment="x").failed and of(cluster, waits, 0, "comment") == ""
    assert update(cluster, waits, dependency="").done == [str(waits)] and record(cluster, waits).dep == ""
    array = submit(cluster, array="0-1")
    assert "of the whole array" in update(cluster, f"{array}_1", dependency=f"afterok:{one}").failed[0][1]


def test_a_dependency_on_oneself_is_refused_at_any_depth(cluster: Cluster) -> None:
    chain = [submit(cluster)]
    for _ in range(50):
        chain.append(submit(cluster, dependency=f"afterany:{chain[-1]}"))
    for job in (chain[0], chain[1], chain[-1]):
        [(_, why)] = update(cluster, chain[0], dependency=f"afterok:{job}").failed
        assert "would wait for itself" in why
    assert record(cluster, chain[0]).dep == ""
    assert update(cluster, chain[0], dependency=f"afterok:{submit(cluster)}").done


def test_ended_ones_are_not_changed(cluster: Cluster) -> None:
    array = submit(cluster, array="0-1")
    cluster.run(array, 0)
    assert update(cluster, f"{array}_0", comment="late").failed == [(f"{array}_0", "Job has already ended")]
    assert RangeSet.parse(record(cluster, array).pending) and record(cluster, array).worst_state is State.COMPLETED


def test_two_changes_at_one_moment_close_no_circle(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (submit(cluster, hold=True) for _ in range(2))
    real = cluster.store.depend

    def both(job: int, text: str, dep: str, uid: int) -> bool:
        monkeypatch.setattr(cluster.store, "depend", real)
        assert update(cluster, two, dependency=f"afterok:{one}").done == [str(two)]
        return real(job, text, dep, uid)

    monkeypatch.setattr(cluster.store, "depend", both)
    [(_, why)] = update(cluster, one, dependency=f"afterok:{two}").failed
    assert "would wait for itself" in why
    assert record(cluster, one).dep == "" and record(cluster, two).dep != ""


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
