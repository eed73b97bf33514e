"""Programs around a run of several nodes, on a real node: as a guest, and on the script's, which waits for guests."""

from tests.integration.node.herder import Herder, crun_of
from tests.integration.node.test_hooks import hooks, program


def test_a_guest_has_a_prolog_and_an_epilog_and_no_script(node: Herder) -> None:
    say = "echo $CRANE_HOOK$CRANE_JOB_EXIT_CODE >> $OUT/w"
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(program(node, "p", say), program(node, "e", say), place=1))
    node.began(1)
    assert node.lines("w") == ["prolog"]
    node.send(op="kill", rows=[[1, 1, 0, 1]])
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == ["prolog", "epilog"]
    assert node.drains == []


def test_a_guest_without_a_prolog_waits_for_its_epilog(node: Herder) -> None:
    node.launch([1], "echo job >> $OUT/w", hooks=hooks("", program(node, "e", "echo epilog >> $OUT/w"), place=2))
    node.began(1)
    node.send(op="kill", rows=[[1, 1, 0, 1]])
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == ["epilog"]


def test_a_guest_whose_prolog_fails_drains_the_node_and_says_so(node: Herder) -> None:
    after = program(node, "e", "echo epilog >> $OUT/w")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(program(node, "p", "exit 4"), after, place=1))
    assert node.ended(1) == (None, "prolog")
    assert node.lines("w") == ["epilog"]
    assert "exit code 4" in node.drains[0]


def test_a_guest_is_told_to_leave_while_its_prolog_runs(node: Herder) -> None:
    slow = program(node, "p", "echo up >> $OUT/p; until [ -e $OUT/go ]; do sleep 0.02; done")
    node.launch([1], "true", hooks=hooks(slow, program(node, "e", "echo epilog >> $OUT/w"), place=1))
    node.wait_for("p")
    node.send(op="kill", rows=[[1, 1, 0, 1]])
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == ["epilog"]


def test_a_guest_outlives_the_shepherd(node: Herder) -> None:
    say = "echo $CRANE_HOOK >> $OUT/w"
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(program(node, "p", say), program(node, "e", say), place=1))
    node.began(1)
    for _ in range(2):
        node.kill_shepherd()
        node.begins.clear()
        node.open()
        node.began(1)
    assert node.lines("w") == ["prolog"]
    node.send(op="kill", rows=[[1, 1, 0, 1]])
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == ["prolog", "epilog"]


def test_a_guest_that_was_told_to_leave_leaves_though_the_shepherd_is_killed(node: Herder) -> None:
    slow = program(node, "e", "echo up >> $OUT/e; until [ -e $OUT/go ]; do sleep 0.02; done; echo through >> $OUT/e")
    node.launch([1], "true", hooks=hooks("", slow, place=1))
    node.began(1)
    node.send(op="kill", rows=[[1, 1, 0, 1]])
    node.wait_for("e")
    node.kill_shepherd()
    node.open()
    node.wait_for("e", 1)
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (None, "cancel")
    assert node.lines("e") == ["up", "up", "through"]


def test_the_script_waits_until_the_guests_are_ready(node: Herder) -> None:
    say = "echo $CRANE_HOOK >> $OUT/w"
    node.launch(
        [1], "echo job >> $OUT/w; exit 3", hooks=hooks(program(node, "p", say), program(node, "e", say), place=0)
    )
    node.wait_for("w")
    node.launch([2], "true")
    assert node.ended(2) == (0, "")
    assert node.lines("w") == ["prolog"]
    node.send(op="orders", rows=[[1, 1, {"go": 1}]])
    assert node.ended(1) == (3, "")
    assert node.lines("w") == ["prolog", "job", "epilog"]


def test_the_guests_are_ready_first(node: Herder) -> None:
    slow = program(node, "p", "echo up >> $OUT/p; until [ -e $OUT/go ]; do sleep 0.02; done")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(slow, place=0))
    node.wait_for("p")
    for _ in range(2):
        node.send(op="orders", rows=[[1, 1, {"go": 1}]])
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (0, "")
    assert node.lines("w") == ["job"]


def test_cancelled_while_it_waits_for_the_guests_it_never_starts(node: Herder) -> None:
    after = program(node, "e", "echo epilog >> $OUT/w")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks("", after, place=0))
    node.launch([2], "true")
    assert node.ended(2) == (0, "")
    node.send(op="kill", rows=[[1, 1, 0]])
    node.send(op="orders", rows=[[1, 1, {"go": 1}]])
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == ["epilog"]


def test_the_shepherd_is_killed_while_the_script_waits_and_the_launch_comes_again(node: Herder) -> None:
    before = program(node, "p", "echo prolog >> $OUT/w")
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(before, place=0))
    node.wait_for("w")
    node.kill_shepherd()
    node.open()
    node.launch([1], "echo job >> $OUT/w", hooks=hooks(before, place=0))
    node.wait_for("w", 1)
    node.send(op="orders", rows=[[1, 1, {"go": 1}]])
    assert node.ended(1) == (0, "")
    assert node.lines("w") == ["prolog", "prolog", "job"]


def test_no_step_starts_beside_a_guest(node: Herder) -> None:
    node.launch([1], "true", hooks=hooks(place=1))
    node.began(1)
    node.launch([2], f"CRANE_JOB_ID=1 {crun_of(node)} true 2>&1; true")
    assert node.ended(2) == (0, "")
    assert "job 1 is not running on this node" in (node.out / "o").read_text()
