"""Decide whether a starting cluster can accept jobs: what is still missing, part by part."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from crane_celery.bootstrap import open_store
from crane_celery.errors import CraneError
from crane_celery.gateway.client import call
from crane_celery.model.node import NodeState
from crane_celery.store.clock import ServerClock

if TYPE_CHECKING:
    from crane_celery.settings import Settings
    from crane_celery.store.api import Store

_BATCH = 1000
#: seconds for the gateway to answer before it counts as missing
_ANSWER_S = 5.0


class Missing(NamedTuple):
    """A part that is not there: in words, and the role whose log says more."""

    what: str
    role: str


class Check:
    """Looks again and again; keeps its connection, and what it has seen already."""

    def __init__(self, settings: Settings) -> None:
        """Whatever happened before this moment does not count: a node must register, and a scheduler lead, anew."""
        self._settings = settings
        self._made_at = time.monotonic()
        self._store: Store | None = None
        self._since = 0.0  # server time of ``_made_at``
        self._seen = ""  # event up to which a leader was looked for
        self._led = False
        self._gateway = False
        self.total = len(settings.nodes) + 3  # server, scheduler, nodes, gateway

    def missing(self) -> list[Missing]:
        """Return what is still missing, the most basic first; empty when jobs can be accepted."""
        nodes = [Missing(f"node {name} has not registered", f"node.{name}") for name in self._settings.nodes]
        gateway = [] if self._answers() else [Missing("the gateway does not answer", "gateway")]
        leader = Missing("no scheduler leads", "scheduler")
        try:
            store = self._connected()
            up = self._up(store)
            leaders = [] if self._has_leader(store) else [leader]
        except CraneError as error:
            return [Missing(error.message, "server"), leader, *nodes, *gateway]
        return [*leaders, *(each for each in nodes if each.role not in up), *gateway]

    def close(self) -> None:
        """Let go of the server."""
        if self._store:
            self._store.close()

    def _connected(self) -> Store:
        if self._store is None:
            store = open_store(self._settings)
            self._since = self._made_at + ServerClock(store.now).offset
            self._seen = f"{int(self._since * 1000)}-0"
            self._store = store
        return self._store

    def _up(self, store: Store) -> set[str]:
        """Roles of the nodes that were heard of since we look."""
        nodes = (node for node in store.nodes() if node.state is not NodeState.DOWN and node.heard_at >= self._since)
        return {f"node.{node.spec.name}" for node in nodes}

    def _has_leader(self, store: Store) -> bool:
        while not self._led and (events := store.events(self._seen, 0.01, _BATCH)):
            self._seen = events[-1].seq
            self._led = any(event.kind == "lead" for event in events)
        return self._led

    def _answers(self) -> bool:
        if not self._gateway:
            try:
                path = f"{self._settings.run_dir}/gateway.sock"
                if not os.path.exists(path):  # asking would wait for it, and tell nobody what else is wrong
                    return False
                call("ping", {}, path, _ANSWER_S)
                self._gateway = True
            except CraneError:
                return False
        return True
