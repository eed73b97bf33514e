"""Define what may follow what: one table for runs and one for nodes. Pure; an illegal step raises and changes nothing.

Every run (element, step) and every node is in exactly one state; ended states stand in the table with no way out.
Replay and the in-memory store go through here; the server's scripts get their tables from here (store.lua_tables).
"""

from collections.abc import Mapping
from enum import StrEnum

from crane_celery.errors import SystemFault
from crane_celery.model.node import NodeState
from crane_celery.model.states import ENDED, WORST, State


class Cause(StrEnum):
    """Record of what happens to a run."""

    START = "start"  # the leader committed it to a node
    BEGIN = "begin"  # its processes exist
    DRAIN = "drain"  # its script has ended, and other nodes of it are still cleaning up
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"  # while pending
    END = "end"  # the node, or who wrote the node off, says how
    REQUEUE = (
        "requeue"  # by policy or by name (lifecycle.requeue): its element is pending again, its next run is another
    )


class NodeCause(StrEnum):
    """Record of what happens to a node."""

    REGISTER = "register"  # its worker started
    HEAR = "hear"  # a heartbeat
    LOSE = "lose"  # not heard of for NodeTimeout
    DRAIN = "drain"  # by an operator
    RESUME = "resume"  # by an operator
    DOWN = "down"  # by an operator


_ANY_END = frozenset(ENDED)
_Runs = Mapping[State, Mapping[Cause, frozenset[State]]]

#: state -> cause -> states that may follow. A pending run ends only by cancel or at its deadline.
RUNS: _Runs = {
    State.PENDING: {
        Cause.START: frozenset({State.STARTING}),
        Cause.CANCEL: frozenset({State.CANCELLED, State.DEADLINE}),
    },
    State.STARTING: {Cause.BEGIN: frozenset({State.RUNNING}), Cause.END: _ANY_END},
    State.RUNNING: {
        Cause.DRAIN: frozenset({State.COMPLETING}),
        Cause.SUSPEND: frozenset({State.SUSPENDED}),
        Cause.END: _ANY_END,
    },
    State.SUSPENDED: {Cause.RESUME: frozenset({State.RUNNING}), Cause.END: _ANY_END},
    State.COMPLETING: {Cause.END: _ANY_END},
    **{state: {} for state in sorted(ENDED)},
}

#: what becomes of the element of a run that ended: nothing any more, or it is pending again
AGAIN: Mapping[State, Mapping[Cause, frozenset[State]]] = {
    state: {Cause.REQUEUE: frozenset({State.PENDING})} for state in sorted(ENDED)
}

#: a drained node stays drained whatever it says itself, and one that an operator took down stays down; only an operator
#: resumes them
NODES: Mapping[NodeState, Mapping[NodeCause, NodeState]] = {
    NodeState.DOWN: {
        NodeCause.REGISTER: NodeState.UP,
        NodeCause.HEAR: NodeState.UP,
        NodeCause.LOSE: NodeState.DOWN,
        NodeCause.DRAIN: NodeState.DRAIN,
        NodeCause.RESUME: NodeState.UP,
        NodeCause.DOWN: NodeState.DOWN,
    },
    NodeState.UP: {
        NodeCause.REGISTER: NodeState.UP,
        NodeCause.HEAR: NodeState.UP,
        NodeCause.LOSE: NodeState.DOWN,
        NodeCause.DRAIN: NodeState.DRAIN,
        NodeCause.RESUME: NodeState.UP,
        NodeCause.DOWN: NodeState.DOWN,
    },
    NodeState.DRAIN: {
        NodeCause.REGISTER: NodeState.DRAIN,
        NodeCause.HEAR: NodeState.DRAIN,
        NodeCause.LOSE: NodeState.DOWN,
        NodeCause.DRAIN: NodeState.DRAIN,
        NodeCause.RESUME: NodeState.UP,
        NodeCause.DOWN: NodeState.DOWN,
    },
}

_RANK = {state: rank for rank, state in enumerate(WORST)}


def may(old: State, cause: Cause) -> bool:
    """Return whether this can happen to a run in this state."""
    return cause in RUNS[old]


def step(old: State, cause: Cause, new: State) -> State:
    """Return ``new``, if it may follow ``old`` by this cause. Raises SystemFault: only a bug of ours comes here."""
    if new not in RUNS[old].get(cause, ()):
        raise SystemFault(f"a run cannot go from {old} to {new} by {cause}")
    return new


def node_step(old: NodeState, cause: NodeCause) -> NodeState:
    """Return the state of a node after this, where no operator has said anything (NODES)."""
    return NODES[old][cause]


def worst(*states: State | None) -> State | None:
    """Return the worst of these ended states (reference/cranesched.md section 4.2); None stands for none."""
    return min((state for state in states if state is not None), key=_RANK.__getitem__, default=None)
