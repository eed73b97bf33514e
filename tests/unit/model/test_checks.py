"""Records and events that come in: one that is not as its writer can have meant it costs itself only."""

from __future__ import annotations

from typing import Any

import pytest

from crane_celery.model.asjson import job_to_json, node_to_json, step_to_json
from crane_celery.model.checks import BadValue, check_job, check_node, check_step
from crane_celery.model.event import Event
from crane_celery.model.event_checks import UNREADABLE, check_event, original, sifted
from crane_celery.model.job import Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec
from crane_celery.model.states import State

_SPEC = JobSpec(name="a", uid=1, gid=1, user="u", memory=1, array="0-9", gres={"gpu": 1}, nodelist=("n1",))
_DEP = '[false,[[["aftercorr",2,2,6,0,"t",0.0,"0-5","1-6"]]]]'
_JOB = job_to_json(
    Job(
        id=1, spec=_SPEC, count=10, submitted_at=5.0, pending="0-9", held="1", dep=_DEP, again='[["3",2]]',
        changes='[["3",{"time_limit":5,"nodelist":["n2"]}]]', worst_state=State.FAILED,
    )
)  # fmt: skip
_NODE = node_to_json(Node(spec=NodeSpec(name="n", cpus=2, memory=5, gres={"gpu": 2}, devices={"gpu": ["/dev/a"]})))
_STEP = step_to_json(StepRow(job=1, run=1, step=2, name="s", state=State.RUNNING, node="n"))
_ROW = [1, 1, 0, 1, "Completed", 0, 1.0, 2.0, "", 0.5, 4096, 0, True]


def test_what_daemons_write_passes() -> None:
    check_job(_JOB)
    check_node(_NODE)
    check_step(_STEP)
    check_job({**_JOB, "colour": "of a later version"})
    check_event("end", {"node": "n", "rows": [_ROW, [*_ROW[:11], True]]})
    check_event("kind of a later version", {"anything": 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "1"), ("id", True), ("id", 2**63), ("count", None), ("submitted_at", float("nan")),
        ("priority", float("inf")), ("pending", "x"), ("pending", 5), ("held", "1-"), ("dep", "[[["),
        ("dep", '[false,[[["never",2,2,6,0,"t"]]]]'), ("dep", '[false,[[["after",2,2,"6",0,"t"]]]]'),
        ("changes", '[["0",{"uid":0}]]'), ("changes", '[["0",{"time_limit":"5"}]]'), ("again", '[["0",null]]'),
        ("until", "5"), ("worst_state", "Fine"), ("spec", None), ("spec", {"nodelist": "n1"}),
        ("spec", {"gres": {"gpu": "many"}}), ("spec", {"gres": {"gpu": 1 << 40}}), ("spec", {"array": "9-1"}),
        ("spec", {"begin": float("nan")}), ("spec", {"exclusive": 1}),
    ],
)  # fmt: skip
def test_a_submission_with_a_wrong_value_does_not(name: str, value: Any) -> None:
    with pytest.raises(BadValue, match=r"cannot be|must be"):
        check_job({**_JOB, name: value} if name != "spec" or value is None else {**_JOB, "spec": value})


def test_a_node_with_more_slots_than_memory_holds_does_not() -> None:
    with pytest.raises(BadValue):
        check_node({**_NODE, "spec": {"name": "n", "cpus": 1, "memory": 1, "gres": {"gpu": 2**31}}})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("end", {"rows": [[1, 2]]}), ("end", []), ("start", {"rows": [[1, 1, 0, 1, []]]}), ("hold", {"job": 1}),
        ("start", {"rows": [[1, 1, 0, 1, [["n", 1, 1, {"gpu": [1 << 40]}]]]]}), ("forget", {"jobs": "123"}),
        ("judge", {"rows": [[1, 0.0]], "deps": ["x"]}), ("order", {"rows": [[1, 1, "n", {"limit": None}]]}),
        ("move", {"rows": [[1, 1, 1, "Moved", 5.0]]}), ("update", {"job": 1, "ranks": "0", "set": 5, "changes": ""}),
    ],
)  # fmt: skip
def test_an_event_with_a_wrong_value_does_not(kind: str, data: Any) -> None:
    with pytest.raises(BadValue):
        check_event(kind, data)


def test_good_rows_of_an_event_are_taken() -> None:
    bad = [*_ROW[:10], 2**70, *_ROW[11:]]
    good, rest = sifted(Event("1-0", 5.0, "end", {"node": "n", "rows": [_ROW, bad, _ROW]}))
    assert (good.kind, good.data["rows"]) == ("end", [_ROW, _ROW])
    assert (rest.kind, rest.data["kind"], rest.data["rows"], rest.at) == (UNREADABLE, "end", [bad], 5.0)
    with pytest.raises(BadValue):
        original(rest)
    mended = original(rest._replace(data={**rest.data, "rows": [_ROW]}))
    assert (mended.kind, mended.data) == ("end", {"node": "n", "rows": [_ROW]})


def test_an_event_without_rows_is_set_aside_whole() -> None:
    (rest,) = sifted(Event("1-0", 5.0, "hold", {"job": "x", "ranks": "0"}))
    assert rest == Event("1-0", 5.0, UNREADABLE, {"job": "x", "ranks": "0", "kind": "hold"})
    data: Any = None
    (rest,) = sifted(Event("1-0", 5.0, "hold", data))
    assert rest.data == {"data": None, "kind": "hold"}
