"""The tables of states: complete, without a way out of an end, and closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from crane_celery.errors import SystemFault
from crane_celery.lifecycle.diagram import page
from crane_celery.lifecycle.machine import AGAIN, NODES, RUNS, Cause, NodeCause, node_step, step, worst
from crane_celery.model.node import NodeState
from crane_celery.model.states import ENDED, HOLDING, State


def test_every_state_has_a_row_and_ended_ones_are_empty() -> None:
    assert set(RUNS) == set(State)
    assert all(not RUNS[state] for state in ENDED)
    assert set(NODES) == set(NodeState) and all(set(row) == set(NodeCause) for row in NODES.values())


def test_every_state_is_reached_from_pending() -> None:
    seen, todo = {State.PENDING}, [State.PENDING]
    while todo:
        for following in RUNS[todo.pop()].values():
            todo += following - seen
            seen |= following
    assert seen == set(State)


@pytest.mark.parametrize("state", sorted(HOLDING))
@pytest.mark.parametrize("end", sorted(ENDED))
def test_what_holds_an_allocation_may_end_in_any_way(state: State, end: State) -> None:
    assert step(state, Cause.END, end) is end


@pytest.mark.parametrize(
    ("old", "cause", "new"),
    [
        (State.COMPLETED, Cause.END, State.FAILED),
        (State.PENDING, Cause.BEGIN, State.RUNNING),
        (State.PENDING, Cause.END, State.COMPLETED),
        (State.RUNNING, Cause.START, State.STARTING),
        (State.STARTING, Cause.BEGIN, State.COMPLETED),
    ],
)
def test_illegal_steps_raise(old: State, cause: Cause, new: State) -> None:
    with pytest.raises(SystemFault, match=f"from {old} to {new}"):
        step(old, cause, new)


def test_only_an_operator_ends_a_drain() -> None:
    kept = {cause for cause in NodeCause if node_step(NodeState.DRAIN, cause) is NodeState.DRAIN}
    assert kept == {NodeCause.REGISTER, NodeCause.HEAR, NodeCause.DRAIN}


def test_the_page_of_states_is_current() -> None:
    """``make docs`` writes it."""
    assert (Path(__file__).parents[3] / "docs" / "states.md").read_text() == page()


def test_what_ended_may_be_pending_again() -> None:
    assert set(AGAIN) == ENDED and all(row == {Cause.REQUEUE: {State.PENDING}} for row in AGAIN.values())


def test_the_worse_of_two() -> None:
    assert worst(None, None) is None
    assert worst(State.COMPLETED, None) is State.COMPLETED
    assert worst(State.FAILED, State.OOM) is State.OOM
