"""One shape for rows of accounting."""

import json
from dataclasses import replace

from crane_celery.history import record, rows
from crane_celery.model.job import Allocation, Element, Job, JobSpec, StepRow
from crane_celery.model.states import STATUS_LOST, State

SPEC = JobSpec(name="a", uid=1, gid=2, user="ada", nodes=2, ntasks=4, cpus_per_task=2.0, array="1-7:2", throttle=3)
JOB = Job(id=36, spec=SPEC, count=4, submitted_at=5.0, pending="")
HELD = (Allocation(node="n1", cpus=4.0, memory=64), Allocation(node="n2", cpus=4.0, memory=64, gres={"gpu": (0,)}))


FAILED = Element(
    id=38,
    job=36,
    rank=2,
    run=1,
    state=State.FAILED,
    allocation=HELD,
    leased_at=6.0,
    began_at=7.0,
    ended_at=9.0,
    code=3,
)


def test_a_run_of_an_element() -> None:
    row = rows.element_row(JOB, FAILED)
    assert (row["id"], row["jobid"], row["index"], row["rank"]) == (38, "36_5", 5, 2)
    assert (row["alloc_cpus"], row["req_cpus"], row["nodelist"]) == (8.0, 8.0, ["n1", "n2"])
    assert row["state"] == "Failed" and type(row["state"]) is str
    assert json.loads(json.dumps(row)) == row


def test_a_code_explains_itself_where_no_reason_was_given() -> None:
    assert rows.element_row(JOB, replace(FAILED, code=STATUS_LOST))["reason"] == "status lost"


def test_steps_of_a_run() -> None:
    common = StepRow(job=38, run=1, step=2, name="s", state=State.COMPLETED, node="n1,n2", began_at=7.5, ended_at=8.0)
    row = rows.element_row(JOB, FAILED)
    daemon, primary, third = rows.step_rows(row, [common])
    assert daemon["elapsed"] == primary["elapsed"] == row["elapsed"] and third["elapsed"] <= row["elapsed"]
    assert [each["stepid"] for each in (daemon, primary, third)] == ["36_5.0", "36_5.1", "36_5.2"]
    assert (daemon["type"], daemon["state"], daemon["began_at"]) == ("DAEMON", "Completed", 6.0)
    assert (primary["type"], primary["state"], primary["code"]) == ("PRIMARY", "Failed", 3)
    assert third["nodelist"] == ["n1", "n2"]


def test_a_run_that_never_began_has_its_daemon_only() -> None:
    row = rows.element_row(JOB, replace(FAILED, began_at=0.0))
    assert [(each["step"], each["state"]) for each in rows.step_rows(row, ())] == [(0, "Failed")]


def test_an_element_cancelled_while_pending() -> None:
    row = rows.cancelled_row(JOB, 0, rows.Gone(9.0))
    assert (row["jobid"], row["run"], row["state"], row["code"], row["began_at"]) == ("36_1", 0, "Cancelled", 320, 0.0)
    assert rows.step_rows(row, ()) == []


def test_newest_first() -> None:
    keys = [(1, 1), (3, 1), (3, 2), (2, 1)]
    ordered = rows.newest_first([{"id": id, "run": run} for id, run in keys], 3)
    assert [(row["id"], row["run"]) for row in ordered] == [(3, 2), (3, 1), (2, 1)]


def test_a_record_outlives_versions() -> None:
    assert record.decode(record.encode(JOB)) == JOB
    aged = json.loads(record.encode(JOB))
    aged["spec"] |= {"of_the_future": 1}
    del aged["spec"]["throttle"], aged["priority"]
    assert record.decode(json.dumps(aged)).spec.throttle == 0
