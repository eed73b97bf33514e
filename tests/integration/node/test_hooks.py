"""Prolog and Epilog on a real node: order, environment, failures, times, and kills of the shepherd meanwhile."""

import pathlib
from typing import Any

import pytest

from tests.integration.node.herder import Herder


def program(node: Herder, name: str, text: str) -> str:
    """A program of the administrators, which writes where jobs write."""
    path: pathlib.Path = node.base / name
    path.write_text(f"#!/bin/sh\nOUT={node.out}\n{text}\n")
    path.chmod(0o755)
    (node.out / "w").touch()
    (node.out / "w").chmod(0o666)  # the job's user writes there too
    return str(path)


def hooks(prolog: str = "", epilog: str = "", **over: Any) -> dict[str, Any]:
    """As a launch message's template has them."""
    env = {"PATH": "/bin:/usr/bin", "CRANE_JOB_USER": "ada"}
    return {"prolog": prolog, "prolog_s": 20.0, "epilog": epilog, "epilog_s": 20.0, "env": env, **over}


def test_they_run_around_the_job_as_the_daemon_s_user(node: Herder) -> None:
    say = 'echo "$CRANE_HOOK $CRANE_JOB_ID $CRANE_JOB_USER $(id -u) ${OUTER-no} $CRANE_JOB_EXIT_CODE" >> $OUT/w'
    before, after = program(node, "p", say), program(node, "e", say)
    env = {"PATH": "/bin:/usr/bin", "OUT": str(node.out), "OUTER": "the user's"}
    node.launch([1], "echo job - - - - >> $OUT/w; exit 3", env=env, hooks=hooks(before, after))
    assert node.ended(1) == (3, "")
    lines = (node.out / "w").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["prolog", "job", "epilog"]
    assert lines[0].split() == ["prolog", "1", "ada", str(node.owner), "no"]
    assert lines[2].split() == ["epilog", "1", "ada", str(node.owner), "no", "3:0"]
    assert node.drains == []


@pytest.mark.parametrize(
    ("text", "seconds", "why"),
    [("exit 4", 20.0, "exit code 4"), ("kill -9 $$", 20.0, "signal 9"), ("exec sleep 300", 0.2, "longer than 0.2 s")],
)
def test_a_prolog_that_fails_fails_the_job_and_drains_the_node(
    node: Herder, text: str, seconds: float, why: str
) -> None:
    after = program(node, "e", "echo epilog >> $OUT/w")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(program(node, "p", text), after, prolog_s=seconds))
    assert node.ended(1) == (None, "prolog")
    assert why in node.ends[1, 1][7]
    assert node.lines("w") == ["epilog"]
    (reason,) = node.drains
    assert why in reason and "job 1" in reason


def test_a_prolog_that_is_not_there(node: Herder) -> None:
    node.launch([1], "true", hooks=hooks("/nonexistent/prolog"))
    assert node.ended(1) == (None, "prolog")
    assert "No such file" in node.drains[0]


@pytest.mark.parametrize(("text", "seconds"), [("exit 4", 20.0), ("exec sleep 300", 0.2)])
def test_an_epilog_that_fails_drains_the_node_and_leaves_the_job_its_result(
    node: Herder, text: str, seconds: float
) -> None:
    node.launch([1], "exit 5", hooks=hooks("", program(node, "e", text), epilog_s=seconds))
    assert node.ended(1) == (5, "")
    assert len(node.drains) == 1


def test_an_epilog_that_is_not_there(node: Herder) -> None:
    node.launch([1], "true", hooks=hooks("", "/nonexistent/epilog"))
    assert node.ended(1) == (0, "")
    assert "No such file" in node.drains[0]


def test_a_slow_prolog_holds_up_nobody_else(node: Herder) -> None:
    node.launch([1], "true", hooks=hooks(program(node, "p", "until [ -e $OUT/go ]; do sleep 0.02; done")))
    node.launch([2], "touch $OUT/go")
    assert node.ended(2) == (0, "")
    assert node.ended(1) == (0, "")


def test_cancelled_while_its_prolog_runs_it_never_starts(node: Herder) -> None:
    slow = program(node, "p", "echo up >> $OUT/p; until [ -e $OUT/go ]; do sleep 0.02; done")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(slow))
    node.wait_for("p")
    node.send(op="kill", rows=[[1, 1, 0]])
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == [] and node.drains == []


def test_the_shepherd_is_killed_in_a_prolog_and_the_launch_comes_again(node: Herder) -> None:
    slow = program(node, "p", "echo up >> $OUT/p; until [ -e $OUT/go ]; do sleep 0.02; done; echo through >> $OUT/p")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(slow))
    node.wait_for("p")
    node.kill_shepherd()
    node.open()
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(slow))
    node.wait_for("p", 1)
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (0, "")
    assert node.lines("w") == ["job"]
    assert node.lines("p") == ["up", "up", "through"]  # the first was ended


def test_the_shepherd_is_killed_in_an_epilog_and_it_runs_again(node: Herder) -> None:
    slow = program(node, "e", "echo up >> $OUT/e; until [ -e $OUT/go ]; do sleep 0.02; done; echo through >> $OUT/e")
    node.launch([1], "echo job >> $OUT/w; exit 6", hooks=hooks("", slow))
    node.wait_for("e")
    node.kill_shepherd()
    node.open()
    node.wait_for("e", 1)
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (6, "")
    assert node.lines("w") == ["job"]
    assert node.lines("e") == ["up", "up", "through"]
