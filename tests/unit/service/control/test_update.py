"""Test what is changed of jobs by `ccontrol update`."""

import pytest

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.states import State
from crane_celery.service.control.cancel import Outcome
from tests.unit.service.control.support import of, record, update
from tests.unit.service.query.test_queue import ROOT, shown
from tests.unit.service.submit.test_accept import submit
from tests.unit.service.support import Cluster


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


def test_a_throttle_is_of_the_whole_array(cluster: Cluster) -> None:
    array = submit(cluster, array="0-3%1")
    assert (
        f"arraytaskthrottle is of the whole array: write {array}"
        in update(cluster, f"{array}_1", arraytaskthrottle="2").failed[0][1]
    )
    assert update(cluster, array, arraytaskthrottle="2").done == [str(array)]
    assert shown(cluster) == [(f"{array}_[0-3%2]", "Pending", "Resource")]


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
