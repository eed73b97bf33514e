"""Test who hears how a step ended whose crun was away: its owner and root, also after the run is over or never was."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from crane_celery.wire.link import Link
from workers.shepherd.closing import Closer
from workers.shepherd.records import Run, Step
from workers.shepherd.runs import Herd
from workers.shepherd.steps import Clients
from workers.shepherd.timers import Timers

OWNER, STRANGER = 1000, 1001
_EXIT = {"op": "exit", "status": [0], "cause": ""}
_ASK = {"op": "attach", "job": 7, "run": 1, "step": 2}


class Caller:
    """A connection of one user, and what it was sent."""

    unclaimed = 0

    def __init__(self, uid: int) -> None:
        self.uid, self.sent = uid, list[dict[str, Any]]()

    def peer(self) -> tuple[int, int, int]:
        return 1, self.uid, self.uid

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


def clients(runs: dict[tuple[int, int], Any]) -> Clients:
    herd = SimpleNamespace(ledger=SimpleNamespace(runs=runs), on_step=None, on_run=None)
    return Clients(cast(Herd, herd), Timers(), Closer())


def run(**over: Any) -> Run:
    fields = {
        "id": 7,
        "run": 1,
        "key": (7, 1),
        "uid": OWNER,
        "guest": False,
        "draining": False,
        "steps": {},
        "past": [2],
    }
    return cast(Run, SimpleNamespace(primary=SimpleNamespace(cause=""), **{**fields, **over}))


def asked(of: Clients, uid: int) -> dict[str, Any]:
    caller = Caller(uid)
    of.hear(cast(Link, caller), dict(_ASK))
    (answer,) = caller.sent
    return answer


def ended(of: Clients, whose: Run) -> None:
    step = SimpleNamespace(number=2, over=True, status={0: 0}, cause="", number_text=(0, ""))
    of._step(whose, cast(Step, step))


@pytest.mark.parametrize("uid", [OWNER, 0])
def test_a_stored_result_goes_to_its_owner_once(uid: int) -> None:
    one = run()
    of = clients({(7, 1): one})
    ended(of, one)
    assert asked(of, STRANGER) == {"op": "refused", "code": 54, "text": "job 7 belongs to another user"}
    assert asked(of, uid)["op"] == "exit"
    assert asked(of, uid)["op"] == "refused"


def test_a_stranger_learns_nothing_where_the_job_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result stands and the run is gone from the ledger: what is answered is the same as for no result."""
    one = run()
    of = clients({(7, 1): one})
    ended(of, one)
    monkeypatch.setattr(of._herd.ledger, "runs", {})
    assert asked(of, STRANGER) == asked(clients({}), STRANGER)
    assert asked(of, OWNER)["op"] == "exit"


def test_after_a_restart_there_is_no_result_for_anybody() -> None:
    of = clients({(7, 1): run()})
    assert asked(of, STRANGER)["code"] == 54
    assert "not known any more" in asked(of, OWNER)["text"]


def test_whose_crun_is_there_hears_it_itself() -> None:
    one = run()
    of = clients({(7, 1): one})
    of._run_over(one)
    assert asked(of, OWNER)["op"] == "refused"
