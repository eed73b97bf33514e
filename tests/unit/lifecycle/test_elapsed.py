"""Test how long a run took, without its suspensions."""

from dataclasses import replace

import pytest

from crane_celery.lifecycle.replay import moved
from crane_celery.model.job import Allocation, Element
from crane_celery.model.states import State

STARTING = Element(
    id=1,
    job=1,
    rank=0,
    run=1,
    state=State.STARTING,
    allocation=(Allocation(node="n1", cpus=1.0, memory=1),),
    leased_at=90.0,
)


def run(began: float, *moves: tuple[State, float], ended: float = 0.0) -> Element:
    """A run with this life."""
    element = replace(STARTING, state=State.RUNNING, began_at=began)
    for state, at in moves:
        element = moved(element, state, at)
    return replace(element, ended_at=ended)


S, R = State.SUSPENDED, State.RUNNING
CASES = [
    (run(0.0), None, 0.0),
    (run(100.0), 50.0, 0.0),
    (run(100.0, ended=120.0), 20.0, 0.0),
    (run(100.0, (S, 110.0)), 10.0, 40.0),
    (run(100.0, (S, 110.0), (R, 120.0)), 40.0, 10.0),
    (run(100.0, (S, 110.0), (R, 120.0), (S, 130.0)), 20.0, 30.0),
    (run(100.0, (S, 110.0), (R, 120.0), (S, 130.0), (R, 131.0), ended=140.0), 29.0, 11.0),
    (run(100.0, (S, 110.0), ended=125.0), 10.0, 15.0),  # suspended until its end
    (run(200.0), 0.0, 0.0),  # began in the future: the server's clock was set back
]


@pytest.mark.parametrize(("element", "elapsed", "paused"), CASES)
def test_elapsed_at_150(element: Element, elapsed: float | None, paused: float) -> None:
    assert (element.elapsed(150.0), element.paused(150.0)) == (elapsed, paused)
