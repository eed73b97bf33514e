"""Scripts on disk: checked, readable by the job's user only, swept; and what runs them."""

import hashlib
import json
import os
import pathlib
import stat
import subprocess
from typing import Any

import pytest

from crane_celery.errors import Denied, NotFound
from crane_celery.model.body import pack_items
from crane_celery.model.job import JobSpec
from workers.agent.scripts import Bodies, login


def _bodies(folder: pathlib.Path, **value: Any) -> tuple[Bodies, JobSpec]:
    data = json.dumps({"script": "#!/bin/sh\necho hi\n", "argv": ["a b"], "env": {"A": "b"}, **value}).encode()
    digest = hashlib.sha256(data).hexdigest()
    spec = JobSpec(name="j", uid=os.geteuid(), gid=os.getegid(), user="u", memory=1, body=digest)
    return Bodies(lambda job: data if job == 1 else None, str(folder)), spec


def test_a_script_is_its_user_s_alone(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    shell, path, word = bodies.get(1, spec).argv
    assert (shell, word) == ("/bin/sh", "a b")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o400
    assert pathlib.Path(path).read_text() == "#!/bin/sh\necho hi\n"


def test_another_script_is_refused_and_a_missing_one_said(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    other = JobSpec(name="j", uid=0, gid=0, user="u", memory=1, body="0" * 64)
    with pytest.raises(Denied, match="not the one that was signed"):
        bodies.get(1, other)
    with pytest.raises(NotFound):
        bodies.get(2, spec)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ({"script": "#!/usr/bin/env python3\n"}, ["/usr/bin/env", "python3"]),
        ({"script": "#! /bin/sh -e\n"}, ["/bin/sh", "-e"]),
        ({"script": "true\n", "interpreter": "/bin/cat"}, ["/bin/cat"]),
    ],
)
def test_interpreters(tmp_path: pathlib.Path, value: dict[str, str], first: list[str]) -> None:
    bodies, spec = _bodies(tmp_path, **value)
    assert bodies.get(1, spec).argv[: len(first)] == first


@pytest.mark.parametrize(
    "value",
    [
        {"interpreter": 5},
        {"argv": 7},
        {"env": [1]},
        {"script": None},
        {"script": "\ud800"},
        {"umask": "x"},
        {"env": None},
    ],
    ids=str,
)
def test_a_body_that_cannot_be_read_is_refused_by_name(tmp_path: pathlib.Path, value: dict[str, Any]) -> None:
    """Check that what came past the gateway somehow ends its own job only."""
    bodies, spec = _bodies(tmp_path, **value)
    with pytest.raises(Denied, match="the script of job 1 cannot be read"):
        bodies.get(1, spec)


def test_a_script_goes_when_no_run_of_its_job_is_here(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    path = pathlib.Path(bodies.get(1, spec).argv[1])
    bodies.take({(1, 1): 1, (2, 1): 1})
    for left in ([], [(1, 1)]):
        bodies.ended(left)
        bodies.tidy()
        bodies.tidy()
        assert path.exists()
    bodies.ended([(2, 1)])
    bodies.tidy()
    assert path.exists()  # the next element may be on its way
    bodies.tidy()
    assert not path.exists()
    assert pathlib.Path(bodies.get(1, spec).argv[1]).exists()  # a run that comes later has it written again


def test_a_script_stays_when_the_next_run_follows_soon(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    path = pathlib.Path(bodies.get(1, spec).argv[1])
    for run in range(1, 4):
        bodies.take({(1, run): 1})
        bodies.tidy()
        bodies.ended([(1, run)])
        bodies.tidy()
    assert path.exists()


def test_what_an_earlier_worker_left_goes_but_for_what_runs(tmp_path: pathlib.Path) -> None:
    for name in (
        "job3.aa.sh",
        "job3.aa.items",
        "job10.bb.sh",
        "job20.cc.sh",
        "job20.cc.sh.4711",
        "journal",
        "exits.0.0",
    ):
        (tmp_path / name).touch()
    bodies = Bodies(lambda _: None, str(tmp_path))
    bodies.recall([(12, 2)])  # an element of array 10, or of one whose script is not here
    bodies.tidy()
    bodies.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exits.0.0", "job10.bb.sh", "journal"]
    bodies.ended([(12, 2)])
    bodies.tidy()
    bodies.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exits.0.0", "journal"]


def test_a_run_whose_end_was_not_heard_keeps_no_script_for_ever(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    path = pathlib.Path(bodies.get(1, spec).argv[1])
    bodies.take({(1, 1): 1})
    bodies.sweep(set)
    assert path.exists()
    bodies.sweep(lambda _: set())
    assert not path.exists()


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh", "/usr/sbin/nologin", "/nonexistent/zsh"])
def test_a_login_environment_is_read_before_the_script(tmp_path: pathlib.Path, shell: str) -> None:
    (tmp_path / ".profile").write_text("FROM_PROFILE=yes; PATH=/profile; export FROM_PROFILE PATH\n")
    argv = login(["/bin/sh", "-c", 'echo "$FROM_PROFILE $PATH $0 $1"', "x y", "$(z)"], shell, "/opt/crane")
    env = {"HOME": str(tmp_path), "PATH": os.defpath}
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "yes /opt/crane:/profile x y $(z)"


def test_the_body_says_whether_it_wants_one(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path, get_user_env=True)
    assert bodies.get(1, spec).login


def test_each_element_reads_its_own_value(tmp_path: pathlib.Path) -> None:
    data = b'{"script":"true","argv":[],"env":{}}\n' + pack_items([b"one", b"", b"\xff\n3"])
    spec = JobSpec(name="j", uid=os.geteuid(), gid=os.getegid(), user="u", body=hashlib.sha256(data).hexdigest())
    body = Bodies(lambda _: data, str(tmp_path)).get(1, spec)
    assert [body.item(rank) for rank in range(3)] == ["one", "", "\udcff\n3"]
    with pytest.raises(IndexError):
        body.item(3)
    other = Bodies(lambda _: None, str(tmp_path))
    other.tidy()
    other.tidy()
    assert list(tmp_path.iterdir()) == []
