"""Records to JSON and back, and what the names of keys are made of."""

from __future__ import annotations

import json
import re

import pytest

from crane_celery.model import asjson
from crane_celery.model.job import Allocation, Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.states import State
from crane_celery.store import codec, keys, scripts
from crane_celery.store.scripts import script

_SPEC = JobSpec(
    name='a "b" \udc80\n', uid=1, gid=2, user="é", gres={"gpu": 2}, nodelist=("n1", "n2"), time_limit=60, exclusive=True
)


def test_records_survive_json() -> None:
    job = Job(id=3, spec=_SPEC, count=2, submitted_at=1.25, pending="0-1", worst_state=State.FAILED, worst_code=4)
    node = Node(spec=NodeSpec(name="n", cpus=1.5, memory=4, features=("x",)), state=NodeState.DRAIN, reason="why")
    step = StepRow(job=1, run=1, step=2, name="s", state=State.OOM, node="n", cpu_s=0.5)
    parts = (Allocation(node="n", cpus=0.5, memory=1, gres={"gpu": (0, 3)}),)

    def carried(value: object) -> object:
        text = codec.dumps(value)
        assert text.isascii()
        return json.loads(text)

    assert asjson.spec_from_json(carried(asjson.spec_to_json(_SPEC))) == _SPEC
    assert asjson.job_from_json(carried(asjson.job_to_json(job))) == job
    assert asjson.node_from_json(carried(asjson.node_to_json(node))) == node
    assert asjson.step_from_json(carried(asjson.step_to_json(step))) == step
    assert asjson.allocation_from_json(carried(asjson.allocation_to_json(parts))) == parts


def test_fields_of_a_newer_writer_are_passed_over() -> None:
    assert asjson.spec_from_json({**asjson.spec_to_json(_SPEC), "colour": "red"}) == _SPEC
    with pytest.raises(TypeError):
        asjson.spec_from_json({"name": "x"})


def test_keys_are_the_same_in_python_and_lua() -> None:
    made, source = keys.Keys("{c}"), keys.lua("key_next key_job(1) key_jobs")
    assert made.one("next") == "{c}:next" and made.of("job", 5) == "{c}:job:5"
    assert source == "local key_next = P .. 'next'\nlocal function key_job(of) return P .. 'job:' .. of end"
    for wrong in (lambda: made.one("job"), lambda: made.of("next", 1)):
        with pytest.raises(ValueError, match="layout"):
            wrong()


def test_the_callers_key_does_not_reach_a_name() -> None:
    assert keys.idempotency("") == ""
    assert re.fullmatch(r"[0-9a-f]{40}", keys.idempotency("x\n{y}\udc80" * 1000))


@pytest.mark.parametrize("verb", sorted(path.stem for path in scripts._FOLDER.glob("*.lua")))
def test_every_script_says_what_it_does_and_never_scans(verb: str) -> None:
    text = (scripts._FOLDER / f"{verb}.lua").read_text()
    head = text[: text.index("\n", text.index("-- Returns"))]
    assert all(line.startswith("--") for line in head.splitlines())
    assert "-- KEYS   1 the prefix of all keys" in head and "-- ARGV   " in head
    source = script(verb).source
    assert not re.search(r"'(KEYS|SCAN|[SHZ]SCAN)'", source)
    assert set(re.findall(r"\bkey_(\w+)", source)) <= {*keys._ONE, *keys._MANY}


def test_a_record_that_cannot_be_read_costs_the_others_nothing() -> None:
    good = ["1", "{}", "1", "5", "0", "", "0", "", "0"]
    assert codec.readable(lambda row: int(row[0]), [["1"], ["x"], ["3"]]) == [1, 3]
    assert codec.readable(codec.job_from_row, [good]) == []
