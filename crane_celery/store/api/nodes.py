"""Nodes: their registration, their heartbeats, what operators make of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.store.api.runs import Wanted


class Beat(NamedTuple):
    """Answer to a heartbeat."""

    now: float
    #: (id, run) leased to this node over ``stale_s`` ago and not begun: the message was lost, or is late
    unanswered: list[tuple[int, int]]
    #: (id, run, signal) that were asked to stop and have not ended; signal 0 = TERM, grace, KILL
    kills: list[tuple[int, int, int]]
    #: (id, run, what is wanted of it) as ``order`` said; told until the run ends
    orders: list[tuple[int, int, Wanted]]


class Registration(NamedTuple):
    """Answer to a node's registration."""

    epoch: int
    #: (id, run) that this node is meant to be running; whatever else it runs is stale and must be killed
    live: list[tuple[int, int]]


class NodeStore(Protocol):
    """Nodes."""

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. Another boot id than before: what ran there is written off and the epoch grows."""

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive (down -> up), with this load (Node.load). Raises StaleFence when it, or another node of one
        of its runs, was written off: register again."""

    def node(self, name: str) -> Node | None:
        """One node."""

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator, which outlasts restarts of the node; what runs there runs on. Raises
        NotFound."""
