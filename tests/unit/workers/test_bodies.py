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
from workers.bodies import Bodies, login


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


def test_a_script_goes_when_its_job_does(tmp_path: pathlib.Path) -> None:
    bodies, spec = _bodies(tmp_path)
    path = pathlib.Path(bodies.get(1, spec).argv[1])
    bodies.sweep(lambda _: False)
    assert path.exists()  # it may be asked for again
    Bodies(lambda _: None, str(tmp_path)).sweep(lambda _: True)
    assert path.exists()
    Bodies(lambda _: None, str(tmp_path)).sweep(lambda _: False)
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
    Bodies(lambda _: None, str(tmp_path)).sweep(lambda _: False)
    assert list(tmp_path.iterdir()) == []
