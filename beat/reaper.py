"""Chores of the leader, seldom and in small bites: write off silent nodes, drop what is over, trim the stream.

A node is silent when the server's stamp of its latest heartbeat stays the same for ``node_timeout_s`` of our own
monotonic clock. So nothing depends on what the server's clock is set to; and after an outage, when every node looks
silent though it was the server, or we, that were away, each has that time to be heard again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from crane_celery.model.node import Node, NodeState
from crane_celery.settings import Settings
from crane_celery.store.api import Store

log = logging.getLogger(__name__)

CURSOR = "leader"
#: seconds between chores
PACE_S = 10.0
#: submissions dropped in one bite; the store stays responsive, and where more is left another follows a second later
_BITE = 200
_SOON_S = 1.0
#: turns follow each other within two seconds
_BREAK_S = 3.0


class Reaper:
    """The chores of one leadership."""

    def __init__(self, store: Store, settings: Settings, fence: int, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._settings = settings
        self._fence = fence
        self._monotonic = monotonic
        #: node -> the stamp of its latest heartbeat, and our time since which that has been the latest
        self._heard: dict[str, tuple[float, float]] = {}
        self._looked_at = self._last = monotonic()
        self._due = self._last + min(PACE_S, settings.node_timeout_s / 3)
        self._moved = ""

    @property
    def left_s(self) -> float:
        """Seconds until there is something to do."""
        return max(0.0, self._due - self._monotonic())

    def turn(self, cursor: str, now: float) -> None:
        """Do what is due. ``cursor``: events that the view holds; ``now``: server time.

        Raises StaleFence, Unreachable.
        """
        self._note_breaks()
        if self.left_s:
            return
        self._due = self._monotonic() + min(PACE_S, self._settings.node_timeout_s / 3)
        self._reap(self._silent(self._store.nodes(), now))
        if self._store.forget(self._fence, now - self._settings.window_s, _BITE).more:
            self._due = self._monotonic() + _SOON_S
        if cursor != self._moved:
            self._moved = cursor
            self._store.set_cursor(CURSOR, cursor)
            self._store.trim()

    def _note_breaks(self) -> None:
        """A turn takes a few seconds at most; a longer pause was an outage, of the server or of ourselves."""
        now = self._monotonic()
        if now - self._last > max(_BREAK_S, self._settings.node_timeout_s / 2):
            self._heard.clear()
            self._looked_at = now
        self._last = now

    def _silent(self, nodes: list[Node], now: float) -> list[Node]:
        """Nodes not heard of for too long. A heartbeat that is new to us came after our last look: when exactly, the
        server's stamp says, as far as that can be."""
        at, before = self._monotonic(), self._heard
        since_look = at - self._looked_at
        self._looked_at, self._heard = at, {}
        for node in nodes:
            stamp, since = before.get(node.spec.name, (None, 0.0))
            if stamp != node.heard_at:
                since = at - min(max(0.0, now - node.heard_at), since_look)
            self._heard[node.spec.name] = node.heard_at, since
        return [node for node in nodes if at - self._heard[node.spec.name][1] >= self._settings.node_timeout_s]

    def _reap(self, silent: list[Node]) -> None:
        timeout = self._settings.node_timeout_s
        for node in silent:  # one that an operator took down may have run on until now
            name, was_down = node.spec.name, node.state is NodeState.DOWN
            ended = self._store.lose(self._fence, name, f"not heard of for {timeout:g} s")
            if ended or not was_down:
                log.warning("node %s written off: not heard of for %g s, %d runs ended", name, timeout, len(ended))
