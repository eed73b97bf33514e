"""Changes that operators make to nodes: drain, resume, take down."""

from collections.abc import Sequence

from crane_celery.errors import InputError, NotFound, NotSupported
from crane_celery.grammar.names import did_you_mean
from crane_celery.model.node import NodeState
from crane_celery.service.control.cancel import Outcome
from crane_celery.store.api import NodeStore

#: what people write -> the state meant
STATES = {
    "drain": NodeState.DRAIN,
    "resume": NodeState.UP,
    "idle": NodeState.UP,
    "up": NodeState.UP,
    "undrain": NodeState.UP,
    "down": NodeState.DOWN,
}
_POWER = ("on", "off", "sleep", "wake", "power_up", "power_down")


def change(names: Sequence[str], state: str, reason: str, store: NodeStore) -> Outcome:
    """Drain nodes, resume them, or take them down; each by itself. Raises InputError, NotSupported."""
    word = state.lower()
    if word in _POWER:
        raise NotSupported(f"state={state}: nodes are not switched on and off here: write drain, resume or down")
    if word not in STATES:
        hint = did_you_mean(word, STATES) or ": write drain, resume or down"
        raise InputError(f"unknown state {state[:60]!r} of a node{hint}")
    if word == "drain" and not reason.strip():
        raise InputError("a drain needs a reason, for those who find the node drained: write reason=TEXT")
    if not names:
        raise InputError("which nodes? write nodename=HOSTS, such as cn[1-3]")
    done: list[str] = []
    failed: list[tuple[str, str]] = []
    for name in dict.fromkeys(names):
        try:
            store.set_node(name, STATES[word], reason.strip() if STATES[word] is not NodeState.UP else "")
            done.append(name)
        except NotFound as error:
            failed.append((name, error.message))
    return Outcome(done, failed)
