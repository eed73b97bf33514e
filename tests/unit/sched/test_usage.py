"""Use of the machine fades."""

import pytest

from crane_celery.sched.usage import Usage


def test_half_after_a_half_life_in_any_steps() -> None:
    usage = Usage(100.0, {1: 8.0}, 0.0)
    usage.add(1, 4.0, 100.0)
    assert usage.now(100.0) == {1: pytest.approx(8.0)}
    assert usage.now(200.0) == {1: pytest.approx(4.0)}
    usage.add(2, 3.0, 150.0)
    usage.add(2, 3.0, 50.0)  # told late
    assert usage.now(150.0)[2] == pytest.approx(4.5)


def test_nothing_is_forgotten_without_a_half_life() -> None:
    usage = Usage(0.0)
    usage.add(1, 5.0, 1.0)
    assert usage.now(1e9) == {1: 5.0}
