"""A run's time on a real node: limit, warning, deadline, and being suspended, also while the shepherd is killed."""

import os
import signal
import time

from tests.integration.node.herder import Herder

#: counts for as long as it is let
_COUNT = "i=0; while :; do i=$((i+1)); echo $i >> $OUT/count; sleep 0.02; done"


def counted(node: Herder) -> int:
    """How far the counting script has come."""
    return len(node.lines("count"))


def grows(node: Herder) -> None:
    """Returns once it has counted on."""
    node.wait_for("count", counted(node))


def test_a_limit_that_is_changed_while_it_runs(node: Herder) -> None:
    node.launch([1], _COUNT, limit=3600)
    node.hear(lambda: (1, 1) in node.begins)
    node.send(op="orders", rows=[[1, 1, {"limit": 0.2}]])
    assert node.ended(1) == (-15, "limit")


def test_a_deadline(node: Herder) -> None:
    node.launch([1], _COUNT, deadline=time.monotonic() + 0.3)
    assert node.ended(1) == (-15, "deadline")


def test_the_script_is_warned_and_ends_by_itself(node: Herder) -> None:
    script = "trap 'echo warned >> $OUT/w; exit 5' USR1; while :; do sleep 0.02; done"
    node.launch([1], script, limit=20.0, warn=[[10, 19.8, "B"]])
    assert node.ended(1) == (5, "")
    assert node.lines("w") == ["warned"]


def test_a_warning_as_long_as_the_limit_is_left_out(node: Herder) -> None:
    node.launch([1], "trap 'exit 5' USR1; while :; do sleep 0.02; done", limit=0.4, warn=[[10, 60, "B"]])
    assert node.ended(1)[1] == "limit"


def test_suspended_it_stands_still_and_its_limit_too(node: Herder) -> None:
    node.launch([1], _COUNT, limit=1.0)
    node.hear(lambda: (1, 1) in node.begins)
    grows(node)
    for _ in range(2):  # told again and again
        node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    before = counted(node)
    node.launch([2], "sleep 1.2")
    node.ended(2)  # longer than the limit of the first
    assert counted(node) == before and (1, 1) not in node.ends
    node.send(op="orders", rows=[[1, 1, {"suspend": 0}]])
    node.hear(lambda: node.moves[1:] == [(1, "Running")])
    grows(node)
    assert node.ended(1) == (-15, "limit")


def test_a_suspended_job_is_cancelled(node: Herder) -> None:
    node.launch([1], _COUNT)
    node.hear(lambda: (1, 1) in node.begins)
    node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    node.send(op="kill", rows=[[1, 1, 0]])
    assert node.ended(1) == (-15, "cancel")


def test_a_suspended_job_that_is_killed_from_outside_freezes_no_other(node: Herder) -> None:
    node.launch([1], f"echo $$ > $OUT/pid; {_COUNT}")
    node.hear(lambda: (1, 1) in node.begins)
    grows(node)
    node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    os.kill(int(node.lines("pid")[0]), signal.SIGKILL)
    node.ended(1)
    node.launch([2], "echo 2 >> $OUT/next")  # in the group of the first
    assert node.ended(2) == (0, "")
    assert node.lines("next") == ["2"]


def test_it_stays_suspended_when_the_shepherd_is_killed(node: Herder) -> None:
    node.launch([1], _COUNT)
    node.hear(lambda: (1, 1) in node.begins)
    grows(node)
    node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    node.kill_shepherd()
    node.open()
    before = counted(node)
    node.launch([2], "sleep 0.3")
    node.ended(2)
    assert counted(node) == before
    node.send(op="orders", rows=[[1, 1, {"suspend": 0}]])
    node.hear(lambda: node.moves[-1] == (1, "Running"))
    grows(node)
    node.send(op="kill", rows=[[1, 1, 0]])
    node.ended(1)
