"""Test what a caller's environment was, and what of it goes on to another job."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from crane_celery import surroundings
from crane_celery.model.job import JobSpec
from crane_celery.surroundings import of_caller, to_submit
from crane_celery.wire.launch import Launch
from workers.agent import environment
from workers.agent.environment import Place
from workers.cgroup import SPAWN_KEY
from workers.shepherd.records import of_task

ROOT = Path(__file__).parents[3]
PRINT = (
    "import sys, json, os; sys.path.insert(0, sys.argv[1]);"
    "from crane_celery.surroundings import of_caller; {};"
    "json.dump([of_caller(), os.environ.get('LC_CTYPE')], sys.stdout)"
)


def asked(first: str = "0", **env: str) -> tuple[dict[str, str], str | None]:
    """Return what a new interpreter says of its caller's variables, and its own LC_CTYPE."""
    argv = [sys.executable, "-I", "-c", PRINT.format(first), str(ROOT)]
    found, ctype = json.loads(subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout)
    return found, ctype


@pytest.mark.parametrize("env", [{}, {"LANG": "C"}, {"LC_CTYPE": "C"}, {"LC_CTYPE": ""}, {"LANG": "no_SUCH"}], ids=str)
def test_a_locale_that_the_interpreter_chose_is_not_the_callers(env: dict[str, str]) -> None:
    found, ctype = asked(**env)
    assert ctype == "C.UTF-8"  # the interpreter has put it into its own environment (PEP 538)
    assert found == env


@pytest.mark.parametrize(
    "env", [{"LC_CTYPE": "C.UTF-8"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "LC_CTYPE": "C.UTF-8"}], ids=str
)
def test_one_that_the_caller_chose_stays(env: dict[str, str]) -> None:
    assert asked(**env)[0] == env


def test_a_program_may_choose_its_own() -> None:
    assert asked("os.environ['LC_CTYPE'] = 'de_DE.UTF-8'")[0] == {"LC_CTYPE": "de_DE.UTF-8"}
    assert asked("os.environ.update(A='1', LC_CTYPE='C.UTF-8')", LC_ALL="C")[0]["LC_CTYPE"] == "C.UTF-8"


def test_a_block_of_the_kernels_comes_back_byte_by_byte() -> None:
    block = b"A=1\0B=\0BASH_FUNC_f%%=() {  :\n}\0a.b=2\0ODD=\xff\x01\n\0A=second\0=nameless\0none\0"
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1]); os.environ['GONE'] = '1';"
        "from crane_celery.surroundings import restore; restore(sys.argv[2]); os.execv('/usr/bin/env', ['env', '-0'])"
    )
    argv = [sys.executable, "-I", "-c", code, str(ROOT), b64encode(block).decode()]
    entries = subprocess.run(argv, capture_output=True, check=True).stdout.split(b"\0")
    assert sorted(filter(None, entries)) == [
        b"A=1", b"B=", b"BASH_FUNC_f%%=() {  :\n}", b"ODD=\xff\x01\n", b"a.b=2",
    ]  # fmt: skip


def made_by_a_node() -> dict[str, str]:
    """Every variable that a node can set for a script or a task."""
    place = Place("n1", "main", "/g", "/s", "/opt/bin", True)
    spec = JobSpec(
        name="a",
        uid=1,
        gid=1,
        user="u",
        memory=1 << 30,
        array="1-7",
        time_limit=90,
        partition="main",
        dependency="x",
        dialect="lsf,slurm",
    )
    launch = Launch(10, 2, 12, 2, 5, 4, 1.0, 1 << 30, {"gpu:a": (1, 0)}, ("n1", "n2"))
    shared = environment.of_job(spec, 10, {}, place, {})
    step = {**of_task(3, 1, slurm=True), SPAWN_KEY: "k", "CRANE_TASK_EXIT_CODE": "0:0"}
    return {**shared, **environment.of_run(launch, spec, place, 100.0, "item"), **step}


def test_nothing_that_a_node_has_made_goes_on_to_another_job() -> None:
    outer = made_by_a_node()
    own = {"A": "b", "CRANE_X": "mine", "SLURM_CONF": "/etc/slurm.conf", "PATH": outer.pop("PATH")}
    assert to_submit({**own, **outer}) == own


def test_outside_a_job_everything_goes_on() -> None:
    env = {"CUDA_VISIBLE_DEVICES": "1", "SLURM_ARRAY_TASK_ID": "7", "CRANE_X": "1", "CRANE_NTASKS": "2", "LSB_X": "1"}
    assert to_submit(env) == env


def test_a_job_of_slurm_or_lsf_is_another_job_too() -> None:
    assert to_submit({"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1", "SLURM_CONF": "x", "LSB_X": "1"}) == {
        "SLURM_CONF": "x",
        "LSB_X": "1",
    }
    assert to_submit({"LSB_JOBID": "7", "LSB_JOBINDEX": "1", "CRANE_NTASKS": "2"}) == {"CRANE_NTASKS": "2"}


def test_devices_that_no_node_has_given_are_the_users() -> None:
    assert to_submit({"CRANE_JOB_ID": "3", "CUDA_VISIBLE_DEVICES": "1"}) == {"CUDA_VISIBLE_DEVICES": "1"}
    assert to_submit({"CRANE_JOB_ID": "3", "CRANE_GPUS": "1", "CUDA_VISIBLE_DEVICES": "1"}) == {}


@pytest.mark.parametrize(
    ("export", "result"),
    [
        (None, {"A": "b", "CRANE_X": "1"}),
        ("ALL", {"A": "b", "CRANE_X": "1"}),
        ("all", {"A": "b", "CRANE_X": "1"}),
        ("NONE", {"CRANE_X": "1"}),
        ("nil", {"CRANE_X": "1"}),
        ("ALL,CUDA_VISIBLE_DEVICES", {"A": "b", "CRANE_X": "1", "CUDA_VISIBLE_DEVICES": "0"}),
        ("A,CRANE_ARRAY_TASK_ID", {"A": "b", "CRANE_X": "1", "CRANE_ARRAY_TASK_ID": "4"}),
        ("CUDA_VISIBLE_DEVICES=1", {"CRANE_X": "1", "CUDA_VISIBLE_DEVICES": "1"}),
    ],
)
def test_what_is_named_goes_on_all_the_same(export: str | None, result: dict[str, str]) -> None:
    env = {"A": "b", "CRANE_X": "1", "CRANE_JOB_ID": "3", "CRANE_GPUS": "1", "CUDA_VISIBLE_DEVICES": "0"}
    assert to_submit({**env, "CRANE_ARRAY_TASK_ID": "4"}, export) == result


def test_the_block_is_read_once_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_BLOCK", "/nonexistent")
    assert of_caller({"A": "1", "LC_CTYPE": "C.UTF-8"}) == {"A": "1", "LC_CTYPE": "C.UTF-8"}
    assert os.environ.items() <= of_caller().items() | {("LC_CTYPE", os.environ.get("LC_CTYPE", ""))}
