"""crun in a job on a real node: output, exit codes, bounds, waiting, vanishing, a shepherd that is killed meanwhile."""

import os
import pathlib

import pytest

from tests.integration.node.herder import Herder, crun_of

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_output_and_exit_code_are_the_step_s(node: Herder) -> None:
    crun = crun_of(node)
    node.launch(
        [1],
        f"""{crun} sh -c 'echo step $CRANE_STEP_ID; exit 3'; echo gave $?
        {crun} -n 2 sh -c 'echo task $CRANE_PROCID'; {crun} -Q sh -c 'kill -9 $$'; echo gave $?
        echo "in primary: $CRANE_STEP_ID." """,
        cpus=2.0,
    )
    assert node.ended(1) == (0, "")
    said = (node.out / "o").read_text()
    for line in ("step 2", "gave 3", "task 0", "task 1", "gave 137", "in primary: ."):
        assert line in said.splitlines(), said
    assert sorted({(row[4], row[10]) for row in node.steps if row[15]}) == [(2, 3), (3, 0), (4, -9)]


def test_more_than_the_job_holds_is_refused_and_what_fits_later_waits(node: Herder) -> None:
    crun = crun_of(node)
    node.launch(
        [1],
        f"""{crun} -c 2 true; echo gave $?
        {crun} -Q sh -c 'mkdir $OUT/busy; sleep 0.2; rmdir $OUT/busy' &
        {crun} -Q sh -c 'mkdir $OUT/busy; sleep 0.2; rmdir $OUT/busy' & wait; echo done""",
    )
    assert node.ended(1) == (0, "")
    said = (node.out / "o").read_text()
    assert "error 85" in said and "gave 4" in said and "done" in said, said
    assert "File exists" not in said


def test_a_step_ends_with_its_crun_and_with_its_job(node: Herder) -> None:
    crun = crun_of(node)
    node.launch(
        [1],
        f"""{crun} -Q sh -c 'echo x > $OUT/began; sleep 300' & pid=$!
        until [ -s $OUT/began ]; do sleep 0.05; done; kill -9 $pid
        {crun} -Q sh -c 'echo x > $OUT/again; sleep 300' &
        until [ -s $OUT/again ]; do sleep 0.05; done""",
    )
    assert node.ended(1) == (0, "")
    causes = {row[4]: row[11] for row in node.steps if row[15]}
    assert causes == {2: "orphan", 3: "job"}


def test_a_step_outlives_the_shepherd(node: Herder) -> None:
    crun = crun_of(node)
    node.launch(
        [1],
        f"""{crun} -Q sh -c 'echo x > $OUT/began; until [ -e $OUT/go ]; do sleep 0.05; done; exit 9'
        echo gave $?""",
    )
    node.began(1)
    node.wait_for("began")
    node.kill_shepherd()
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (0, "")
    assert "gave 9" in (node.out / "o").read_text()


def test_a_stranger_may_not_start_steps(node: Herder) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    node.launch([1], "until [ -e $OUT/go ]; do sleep 0.05; done")
    node.began(1)
    other = Herder.__new__(Herder)
    other.__dict__.update(node.__dict__)
    if node.uid == 0:
        other.uid = 1234
        crun = crun_of(other)
        node.launch(
            [2],
            f"CRANE_JOB_ID=1 {crun} id; echo gave $? > $OUT/said",
            uid=1234,
            gid=1234,
            groups=[1234],
            paths=["/dev/null", "/dev/null", ""],
        )
        assert node.ended(2)[1] == ""
        assert node.lines("said") == ["gave", "4"]
    (node.out / "go").touch()
    assert node.ended(1) == (0, "")


def test_a_step_s_time_limit_holds_when_the_shepherd_is_killed(node: Herder) -> None:
    node.launch([1], f"{crun_of(node)} -Q -t 0:0:1 sh -c 'echo up > $OUT/up; exec sleep 300'; echo gave $? > $OUT/w")
    node.wait_for("up")
    node.kill_shepherd()
    node.open()
    assert node.ended(1) == (0, "")
    assert [row[11] for row in node.steps if row[15]] == ["limit"]


def test_a_step_s_clock_stands_still_while_its_job_is_suspended(node: Herder) -> None:
    node.launch([1], f"{crun_of(node)} -Q -t 0:0:2 sh -c 'echo up > $OUT/up; sleep 1.2; exit 4'; exit $?")
    node.wait_for("up")
    node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    node.launch([2], "sleep 2.2")
    node.ended(2)  # longer than the limit of the step
    node.send(op="orders", rows=[[1, 1, {"suspend": 0}]])
    assert node.ended(1) == (4, "")
