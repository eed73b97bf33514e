"""Test what one user takes of a gateway is taken from that user only."""

import threading
from collections.abc import Iterator

import pytest

from crane_celery.errors import LimitReached
from crane_celery.gateway.budgets import Bounds, Budgets

ROOT, ADA, BOB, EVE = 0, 1, 2, 3
_SMALL = Bounds(connections=32, per_user=24, reserve=4, working=2, size=100, following=3, patience_s=0.05)


@pytest.fixture
def budgets() -> Iterator[Budgets]:
    """Of small numbers; root has a privilege."""
    yield Budgets(lambda uid: uid == ROOT, _SMALL)


def _all(budgets: Budgets, uid: int) -> int:
    taken = 0
    while budgets.enter(uid):
        taken += 1
    return taken


def test_whoever_comes_next_finds_room_and_root_always(budgets: Budgets) -> None:
    taken = [_all(budgets, uid) for uid in (ADA, BOB, EVE, ROOT)]
    assert taken[0] == 16 and taken[1] == 8 and taken[2] == 4 and taken[3] == 8
    for _ in range(taken[0]):
        budgets.leave(ADA)
    assert _all(budgets, ADA) > 0


def test_requests_of_one_user_take_turns(budgets: Budgets) -> None:
    with budgets.working(ADA, 1) as one, budgets.working(ADA, 1) as two, budgets.working(ADA, 1) as three:
        one.begin()
        two.begin()
        with pytest.raises(LimitReached, match="as many requests at work"):
            three.begin()
        with budgets.working(BOB, 1) as other:
            other.begin()
        with one.idle():
            three.begin()
            three.end()
        one.end()
        one.end()
        three.begin()


def test_a_turn_comes_when_another_ends() -> None:
    began = threading.Event()
    patient = Budgets(lambda _uid: False, _SMALL._replace(working=1, patience_s=30.0))

    def next_one() -> None:
        with patient.working(ADA, 1) as turn:
            turn.begin()
            began.set()

    with patient.working(ADA, 1) as turn:
        turn.begin()
        thread = threading.Thread(target=next_one)
        thread.start()
        assert not began.is_set()
    assert began.wait(30)
    thread.join()


def test_bytes_are_counted_and_one_large_request_always_goes(budgets: Budgets) -> None:
    with budgets.working(ADA, 1000):
        with pytest.raises(LimitReached, match="as large together"), budgets.working(ADA, 1):
            pass
        with budgets.working(BOB, 90):
            pass
    with budgets.working(ADA, 60), budgets.working(ADA, 40):
        pass


def test_who_stays_is_counted(budgets: Budgets) -> None:
    with budgets.following(ADA), budgets.following(ADA), budgets.following(ADA):
        with pytest.raises(LimitReached, match="watch or wait in 3 places"), budgets.following(ADA):
            pass
        with budgets.following(BOB):
            pass
    with budgets.following(ADA):
        pass
