"""The server's time as another host knows it: bounds that only get better, drift, and a server whose clock is set."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_celery.errors import Unreachable
from crane_celery.store.clock import DRIFT, ServerClock


class Pair:
    """A server and a host: two clocks, and answers that take their time."""

    def __init__(self, ahead_s: float = 5e8) -> None:
        self.at = 100.0
        self.ahead_s = ahead_s
        self.drift, self.origin = 0.0, self.at  # the server's clock gains so much of the time that passes
        self.there_s = self.back_s = 0.0
        self.asked = 0
        self.clock = ServerClock(self.ask, lambda: self.at)

    def ask(self) -> float:
        """A round trip."""
        self.asked += 1
        self.at += self.there_s
        stamp = self.server
        self.at += self.back_s
        return stamp

    @property
    def server(self) -> float:
        """The time that is to be known."""
        return self.at + self.ahead_s + self.drift * (self.at - self.origin)

    @property
    def behind(self) -> float:
        """Return how far the clock is behind the server's."""
        return self.server - self.clock.now()


def test_it_asks_before_first_use() -> None:
    pair = Pair()
    assert isclose(pair.behind, 0.0, abs_tol=1e-6) and pair.asked == 3


def test_a_slow_answer_is_made_good_by_the_next_stamp() -> None:
    pair = Pair()
    pair.back_s = 0.5
    pair.clock.sync()
    assert isclose(pair.behind, 0.5, abs_tol=1e-3)
    pair.clock.stamped(pair.server)
    assert isclose(pair.behind, 0.0, abs_tol=1e-6)


def test_an_older_or_slower_word_changes_nothing() -> None:
    pair = Pair()
    pair.clock.sync()
    pair.clock.stamped(pair.server - 7.0)
    pair.there_s = pair.back_s = 3.0
    pair.clock.measure()
    assert 0.0 <= pair.behind < 1e-3 and pair.clock.set_back == 0


def test_it_is_measured_again_when_the_last_answer_is_old() -> None:
    pair = Pair()
    pair.clock.refresh(10.0)
    pair.at += 9.0
    pair.clock.refresh(10.0)
    assert pair.asked == 1
    pair.at += 1.0
    pair.clock.refresh(10.0)
    assert pair.asked == 2


def test_a_clock_set_forward_is_followed_at_once() -> None:
    pair = Pair()
    pair.clock.sync()
    pair.ahead_s += 3600.0
    pair.clock.stamped(pair.server)
    assert isclose(pair.behind, 0.0, abs_tol=1e-6) and pair.clock.set_back == 0


def test_a_clock_set_back_is_followed_when_it_is_measured_and_counted() -> None:
    pair = Pair()
    pair.clock.sync()
    pair.ahead_s -= 3600.0
    pair.clock.stamped(pair.server)
    assert isclose(pair.behind, -3600.0, abs_tol=1.0)
    pair.clock.measure()
    assert isclose(pair.behind, 0.0, abs_tol=1e-6) and pair.clock.set_back == 1
    pair.clock.measure()
    assert pair.clock.set_back == 1


def test_drift_beyond_what_is_allowed_for_is_followed_and_is_no_setting() -> None:
    pair = Pair()
    pair.clock.sync()
    pair.at += 1000.0
    pair.ahead_s -= 0.3
    pair.clock.measure()
    assert isclose(pair.behind, 0.0, abs_tol=1e-6) and pair.clock.set_back == 0


def test_nothing_is_known_of_a_server_that_does_not_answer() -> None:
    def ask() -> float:
        raise Unreachable("away")

    with pytest.raises(Unreachable):
        ServerClock(ask).now()


_WAITS = st.floats(0.0, 2.0)
_WORDS = st.lists(st.tuples(st.sampled_from(["measure", "stamped", "nothing"]), _WAITS, _WAITS, _WAITS), max_size=30)


@given(_WORDS, st.floats(-DRIFT, DRIFT))
def test_it_is_never_ahead_and_behind_by_the_quickest_word_at_most(
    words: list[tuple[str, float, float, float]], drift: float
) -> None:
    """Whatever comes late, while the clocks drift apart as far as is allowed for."""
    pair = Pair(ahead_s=0.0)
    pair.drift, best = drift, 0.0  # the first questions are answered at once
    pair.clock.sync()
    for word, wait, there, back in words:
        pair.at += wait
        if word == "measure":
            pair.there_s, pair.back_s = there, back
            pair.clock.measure()
            best = min(best, back)
        if word == "stamped":
            stamp = pair.server
            pair.at += back
            pair.clock.stamped(stamp)
        assert -1e-3 <= pair.behind <= best + 2 * DRIFT * (pair.at - pair.origin) + 1e-3
