"""TaskEpilog in a run that is suspended: a start in a frozen group would freeze the spawner, so it waits."""

from types import SimpleNamespace
from typing import Any

import pytest

from crane_celery.wire.node import Failed
from workers.shepherd.records import PRIMARY, Run, Step
from workers.shepherd.task_epilog import TaskEpilogs


class Herd:
    """Record of what the epilogs ask of a herd; timers are run by hand."""

    def __init__(self) -> None:
        """One run, suspended, whose script has ended."""
        self.run = Run(
            id=1, run=1, uid=5, gid=5, groups=[5], cpus=1.0, memory=0, grace=1.0, limit=0.0, pen="p0",
            hooks={"task_epilog": "/te", "epilog_s": 5.0}, suspended_at=1.0,
        )  # fmt: skip
        self.step = self.run.steps[PRIMARY] = Step(number=PRIMARY, status={0: 0})
        self.sent: list[str] = []
        self.due: list[Any] = []
        self.heard: list[Any] = []
        self.timers = SimpleNamespace(at=lambda _when, act: self.due.append(act))
        self.ledger = SimpleNamespace(runs={self.run.key: self.run})
        posts = {(5, 5): object()}
        self.nursery = SimpleNamespace(posts=posts, send=lambda _u, _g, starts: self.sent.extend(s.key for s in starts))
        self.leaf = lambda _run, _step: None
        self.events = lambda _post, rows: self.heard.extend(rows)

    def turn(self) -> None:
        """Do what is due."""
        due, self.due = self.due, []
        for act in due:
            act()


@pytest.fixture
def herd() -> Herd:
    """A herd that waits."""
    made = Herd()
    standing_in: Any = made
    TaskEpilogs(standing_in).begin(made.run, made.step, 0)
    return made


def test_it_starts_when_the_run_goes_on(herd: Herd) -> None:
    herd.turn()
    assert herd.sent == [] and not herd.step.over and not herd.run.flying
    herd.run.suspended_at = 0.0
    herd.turn()
    assert herd.sent == ["1.1.1.-1"] and herd.run.flying and herd.due == []


def test_it_is_given_up_when_the_run_is_stopped(herd: Herd) -> None:
    herd.run.suspended_at, herd.step.cause = 0.0, "cancel"
    herd.turn()
    assert herd.sent == [] and [(type(each), each.key) for each in herd.heard] == [(Failed, "1.1.1.-1")]


def test_it_is_forgotten_with_the_run(herd: Herd) -> None:
    herd.ledger.runs.clear()
    herd.turn()
    assert herd.sent == herd.heard == herd.due == []
