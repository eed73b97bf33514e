"""Nodes on a server. See store.api.nodes."""

from __future__ import annotations

import json
from typing import Any

from crane_celery.model.asjson import node_spec_to_json
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.store import codec, script_args
from crane_celery.store.api import Beat, Registration
from crane_celery.store.codec import dumps
from crane_celery.store.redis.part import Part

_LOST = "the node restarted while this ran"


class RedisNodes(Part):
    """store.api.NodeStore."""

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. See store.api."""
        texts = [dumps(text) for text in (host, driver, version, boot, _LOST)]
        record = dumps(node_spec_to_json(spec))
        answer: list[Any] = []
        while not answer:  # 1,000 runs that did not survive in one step
            answer = self.link.run("register", spec.name, dumps(spec.name), record, *texts)
        epoch, live = answer
        return Registration(epoch, sorted(script_args.member(text) for text in live))

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive. See store.api."""
        now, leases, kills, orders = self.link.run("heartbeat", node, epoch, stale_s, load)
        stops = [(*script_args.member(kills[i]), int(kills[i + 1])) for i in range(0, len(kills), 2)]
        wanted = sorted(
            ((*script_args.member(orders[i]), json.loads(orders[i + 1])) for i in range(0, len(orders), 2)),
            key=lambda row: row[:2],
        )
        return Beat(float(now), [script_args.member(text) for text in leases], sorted(stops), wanted)

    def node(self, name: str) -> Node | None:
        """One node."""
        return next((codec.node_from_row(row) for row in self.read("node", codec.NODE_FIELDS, [name])), None)

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""
        names = sorted(self.link.do("SMEMBERS", self.keys.one("nodes")))
        return codec.readable(codec.node_from_row, self.read("node", codec.NODE_FIELDS, names))

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator. Raises NotFound."""
        self.link.run("set_node", name, str(state), dumps(reason))
