"""Test what the leader notes of a plan says of each class what the plan says of it, and of others what follows from
that."""

from crane_celery.model.states import Reason
from crane_celery.sched.draining import Drain
from crane_celery.sched.noted import Noted, decode, encode
from crane_celery.sched.plan import Why
from crane_celery.sched.want import Want

FULL = Why(Reason.RESOURCES, "CPUs on one node", 4, 1)


def test_reasons_come_back_as_they_were() -> None:
    small, pinned = Want("main", 1, 1000, 1), Want("main", 1, 1000, 1, (("gpu", 2),), frozenset({"n2"}), limit=60)
    user = Why(Reason.USER_LIMIT, "elements of this user at once", 3, 2)
    drain = Drain(7, 0, "main", 5.0, 1, ("n1",), 9.0)
    text = encode(Noted([drain], {(-1, pinned): FULL, (5, small): user}, unseen=True))
    again = decode(text)
    assert encode(again) == text and again.drained == {7: [drain]}
    assert again.why(1, pinned) == FULL
    assert (again.why(5, small), again.why(6, small)) == (user, Why(Reason.PRIORITY))


def test_what_asks_for_more_than_a_class_that_finds_no_room_finds_none_either() -> None:
    small, large = Want("main", 1, 1000, 1), Want("main", 1, 2000, 1)
    found = Noted((), {(-1, small): FULL})
    assert found.why(1, large) == FULL
    assert found.why(1, Want("main", 1, 500, 1)) == Why(Reason.NONE)  # nobody has looked at it
    assert Noted((), {(-1, small): Why(Reason.LICENSES)}).why(1, large) == Why(Reason.NONE)
