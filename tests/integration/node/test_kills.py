"""kill -9 of shepherd, spawner and both: nothing lost, nothing twice, true exit codes where anyone saw them."""

import random

from tests.integration.node.herder import Herder, kill


def test_the_agent_comes_back(node: Herder) -> None:
    node.ack = False
    node.launch([1], "exit 3")
    assert node.ended(1) == (3, "")
    assert node.link is not None
    node.link.close()
    node.ends.clear()
    node.ack = True
    node.open()
    assert node.ended(1) == (3, "")


def test_a_new_shepherd_knows_true_exit_codes(node: Herder) -> None:
    node.launch([1], "echo x >> $OUT/w; until [ -e $OUT/go ]; do sleep 0.05; done; exit 5")
    node.launch([2], "echo x >> $OUT/w; exit 6")
    node.began(1, 2)
    node.kill_shepherd()
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (5, "")
    assert node.ended(2) == (6, "")
    node.launch([1, 2], "echo x >> $OUT/w")
    node.launch([3], "true")
    assert node.ended(3) == (0, "")
    assert node.lines("w") == ["x", "x"]


def test_a_dead_spawner_costs_no_exit_code(node: Herder) -> None:
    node.launch([1], "until [ -e $OUT/go ]; do sleep 0.05; done; exit 5")
    node.began(1)
    kill(node.spawner_pid())
    node.launch([2], "exit 6")
    assert node.ended(2) == (6, "")
    (node.out / "go").touch()
    assert node.ended(1) == (5, "")


def test_a_spawner_that_nobody_wrote_down(node: Herder) -> None:
    node.launch([1], "until [ -e $OUT/go ]; do sleep 0.05; done; exit 5")
    node.began(1)
    node.kill_shepherd()
    (note,) = (node.base / "spool").glob("spawner.*")
    note.unlink()  # as when it was killed between the fork and the note
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (5, "")


def test_both_dead_is_status_lost_but_orderly(node: Herder) -> None:
    node.launch([1], "until [ -e $OUT/go ]; do sleep 0.05; done; exit 5")
    node.launch([2], "exit 4")
    node.began(1)
    assert node.ended(2) == (4, "")
    spawner = node.spawner_pid()
    node.kill_shepherd()
    kill(spawner)
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (None, "")
    node.launch([3], "exit 6")
    assert node.ended(3) == (6, "")


def test_a_stop_outlives_the_shepherd(node: Herder) -> None:
    node.launch([1], "trap '' TERM; echo x > $OUT/w; while :; do sleep 0.1; done", grace=1.0)
    node.began(1)
    node.wait_for("w")
    node.send(op="kill", rows=[[1, 1, 0]])
    node.send(op="keep", live=[[1, 1], [9, 9]])
    node.hear(lambda: bool(node.missing))
    node.kill_shepherd()
    node.open()
    assert node.ended(1) == (-9, "cancel")


def test_a_tombstone_outlives_the_shepherd(node: Herder) -> None:
    node.send(op="kill", rows=[[1, 1, 0]])
    node.send(op="keep", live=[[9, 9]])
    node.hear(lambda: bool(node.missing))
    node.kill_shepherd()
    node.open()
    node.launch([1], "echo x >> $OUT/w")
    assert node.ended(1) == (None, "cancel")
    assert node.lines("w") == []


def test_seeded_kills_under_load(node: Herder) -> None:
    """Every job runs at most once, and ends exactly once or is welcome again (what never started is sent again)."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    ids = list(range(1, 121))
    for at in range(0, len(ids), 20):
        node.launch(ids[at : at + 20], "echo $CRANE_JOB_ID >> $OUT/w; exit $((CRANE_JOB_ID % 100))")
        goal = min(len(node.ends) + dice.randrange(8), at)
        node.hear(lambda goal=goal: len(node.ends) >= goal)
        if dice.random() < 0.5:
            if pid := node.spawner_pid():
                kill(pid)
        else:
            node.kill_shepherd()
            node.open()
    while missing := [id_ for id_ in ids if (id_, 1) not in node.ends]:
        node.launch(missing, "echo $CRANE_JOB_ID >> $OUT/w; exit $((CRANE_JOB_ID % 100))")
        count = len(node.ends)
        node.hear(lambda count=count: len(node.ends) > count)
    ran = node.lines("w")
    assert len(ran) == len(set(ran)), f"seed {seed}: ran twice"
    lost = [id_ for id_ in ids if node.ends[id_, 1][0] is None]
    assert all(node.ends[id_, 1][0] == id_ % 100 for id_ in ids if id_ not in lost), f"seed {seed}"
