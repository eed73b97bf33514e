"""A run's time on a real node: limit, warning, deadline, and being suspended, also while the shepherd is killed."""

import os
import signal
import time

import pytest

from tests.integration.node.herder import Herder, crun_of

#: counts for as long as it is let
_COUNT = "i=0; while :; do i=$((i+1)); echo $i >> $OUT/count; sleep 0.02; done"
_WAIT = "while :; do sleep 0.02; done"


def counted(node: Herder) -> int:
    """Return how far the counting script has come."""
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


@pytest.mark.parametrize("lead", [20, 60])
def test_a_lead_not_shorter_than_the_limit_is_sent_at_once(node: Herder, lead: int) -> None:
    node.launch([1], f"sleep 0.3; trap 'exit 5' USR1; {_WAIT}", limit=20.0, warn=[[10, lead, "B"]])
    assert node.ended(1) == (5, "")  # not before the script was prepared for it


def test_one_who_never_prepares_gets_it_all_the_same(node: Herder) -> None:
    node.launch([1], _WAIT, limit=1.0, warn=[[10, 60, "B"]])
    assert node.ended(1) == (-10, "")


def test_a_limit_that_is_shortened_past_the_moment(node: Herder) -> None:
    node.launch([1], f"trap 'exit 5' USR1; echo up > $OUT/up; {_WAIT}", limit=3600.0, warn=[[10, 600, "B"]])
    node.hear(lambda: (1, 1) in node.begins)
    for _ in range(2):  # told again and again
        node.send(op="orders", rows=[[1, 1, {"limit": 300.0}]])
    assert node.ended(1) == (5, "")


def test_it_is_sent_once_whoever_is_killed_and_again_before_a_later_limit(node: Herder) -> None:
    node.launch([1], f"trap 'echo x >> $OUT/w' USR1; {_WAIT}", limit=3600.0, warn=[[10, 4000, "B"]])
    node.wait_for("w")
    for limit in (3500.0, 3600.0):
        node.send(op="orders", rows=[[1, 1, {"limit": limit}]])
    node.kill_shepherd()
    node.open()
    node.launch([2], "sleep 0.2")
    node.ended(2)
    assert node.lines("w") == ["x"]
    node.send(op="orders", rows=[[1, 1, {"limit": 9000.0}]])
    node.send(op="orders", rows=[[1, 1, {"limit": 3000.0}]])
    node.wait_for("w", 1)
    node.send(op="kill", rows=[[1, 1, 9]])
    node.ended(1)
    assert node.lines("w") == ["x", "x"]


def test_a_moment_that_passed_without_a_shepherd(node: Herder) -> None:
    node.launch([1], f"trap 'exit 5' USR1; echo up > $OUT/up; {_WAIT}", limit=3600.0, warn=[[10, 3599.5, "B"]])
    node.hear(lambda: (1, 1) in node.begins)
    node.kill_shepherd()
    time.sleep(0.6)  # the moment itself is what nobody is there for
    node.open()
    assert node.ended(1) == (5, "")


def test_a_moment_that_is_passed_while_it_is_suspended(node: Herder) -> None:
    node.launch([1], f"trap 'exit 5' USR1; echo up > $OUT/up; {_WAIT}", limit=3600.0, warn=[[10, 600, "B"]])
    node.hear(lambda: (1, 1) in node.begins)
    node.send(op="orders", rows=[[1, 1, {"suspend": 1}]])
    node.hear(lambda: node.moves == [(1, "Suspended")])
    node.send(op="orders", rows=[[1, 1, {"limit": 300.0, "suspend": 1}]])
    node.send(op="orders", rows=[[1, 1, {"limit": 300.0, "suspend": 0}]])
    assert node.ended(1) == (5, "")


def test_without_b_it_reaches_the_children_of_a_script_that_has_no_steps(node: Herder) -> None:
    child = f"sh -c 'trap \"echo child >> $OUT/w; exit 0\" USR1; {_WAIT}'"
    node.launch(
        [1], f"trap 'echo script >> $OUT/w' USR1; {child} & wait; wait; exit 5", limit=20.0, warn=[[10, 19, ""]]
    )
    assert node.ended(1) == (5, "")
    assert sorted(node.lines("w")) == ["child", "script"]
    node.launch([2], f"{child}; exit 6", limit=20.0, warn=[[10, 19, ""]])
    assert node.ended(2) == (6, "")  # a script that would have died of it, and its child with it
    assert node.lines("w")[2:] == ["child"]


def test_with_b_it_reaches_the_script_alone(node: Herder) -> None:
    child = f"sh -c 'trap \"echo child >> $OUT/w\" USR1; {_WAIT}'"
    node.launch([1], f"trap 'echo script >> $OUT/w; exit 5' USR1; {child} & wait", limit=20.0, warn=[[10, 19, "B"]])
    assert node.ended(1) == (5, "")
    assert node.lines("w") == ["script"]


def test_without_b_the_steps_get_it_and_the_script_does_not(node: Herder) -> None:
    step = f"""{crun_of(node)} -Q sh -c 'trap "echo step >> $OUT/w; exit 3" USR1; echo up > $OUT/up; {_WAIT}'"""
    script = f"trap 'echo script >> $OUT/w' USR1; {step}; exit $?"
    node.launch([1], script, limit=3600.0, warn=[[10, 600, ""]])
    node.wait_for("up")
    node.send(op="orders", rows=[[1, 1, {"limit": 300.0}]])
    assert node.ended(1) == (3, "")
    assert node.lines("w") == ["step"]


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
