"""When a node drains itself, and when it takes jobs again."""

import pathlib

import pytest

from crane_celery.wire.node import RunEnded
from workers.agent import health
from workers.agent.health import AGAIN_S, EVERY_S, LONGEST_S, SILENT_S, Health
from workers.agent.outcome import of_node


class Clock:
    """Moves when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Of one test."""
    return Clock()


@pytest.fixture
def node(tmp_path: pathlib.Path, clock: Clock) -> Health:
    """A node that is well."""
    return Health(str(tmp_path), {}, clock)


def test_it_tests_itself_at_the_start_and_each_minute(node: Health, clock: Clock) -> None:
    assert node.due() and not node.due()
    node.tested([])
    assert node.fault(0.0) == ""
    clock.now += EVERY_S
    assert node.due()
    node.tested(["no cgroup can be made"])
    assert node.fault(0.0) == "self-test: no cgroup can be made"
    clock.now += EVERY_S
    assert node.due() and node.fault(0.0)
    clock.now += AGAIN_S
    assert node.due(), "more often while something is wrong"
    node.tested([])
    assert node.fault(0.0) == ""


def test_a_shepherd_that_does_not_answer_is_a_fault(node: Health, clock: Clock) -> None:
    assert node.due()
    clock.now += SILENT_S + 1
    assert node.fault(0.0) == "self-test: the shepherd does not answer"
    node.tested([])
    assert node.fault(0.0) == ""


def test_launches_that_fail_again_and_again_make_it_rest_longer(node: Health, clock: Clock) -> None:
    rests = []
    for _ in range(9):
        for _ in range(5):  # all of one batch
            node.launch_failed("why")
        began = clock.now
        while node.fault(0.0):
            clock.now += 1.0
        rests.append(clock.now - began)
    assert rests[:4] == [AGAIN_S, 2 * AGAIN_S, 4 * AGAIN_S, 8 * AGAIN_S] and max(rests) == LONGEST_S
    clock.now += LONGEST_S
    node.launch_failed("why")
    clock.now += AGAIN_S
    assert node.fault(0.0) == "", "long ago counts no more"


@pytest.mark.parametrize("skew", [-301.0, 1e6])
def test_a_clock_that_is_wrong(node: Health, skew: float) -> None:
    assert "clock differs" in node.fault(skew)
    assert node.fault(299.0) == ""


def test_a_spool_that_is_gone_or_full(tmp_path: pathlib.Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Health(str(tmp_path / "gone"), {}, clock)
    assert "cannot be written: No such file" in gone.fault(0.0)
    (tmp_path / "gone").mkdir()
    assert gone.fault(0.0) == ""
    monkeypatch.setattr(health, "_FREE", 1 << 60)
    assert "left, " in gone.fault(0.0)
    monkeypatch.setattr(health, "_FREE", 0)
    monkeypatch.setattr(health, "_DESCRIPTORS", 1 << 40)
    assert "descriptors are open" in gone.fault(0.0)


@pytest.mark.parametrize(
    ("cause", "number", "ours"),
    [("cgroup", 0, True), ("spawn", 24, True), ("spawn", 28, True), ("spawn", 11, False), ("exec", 2, False),
     ("output", 28, False), ("cancel", 0, False)],
)  # fmt: skip
def test_which_failed_launches_are_the_node_s(cause: str, number: int, ours: bool) -> None:
    end = RunEnded(7, 1, None, cause, 0.0, 1.0, 0.0, 0, number, "why")
    assert bool(of_node(end)) == ours
    assert not of_node(end._replace(status=1))
