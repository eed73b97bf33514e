"""Nodes in memory. See store.api.nodes."""

from __future__ import annotations

from dataclasses import replace

from crane_celery.errors import NotFound, StaleFence
from crane_celery.lifecycle.machine import NodeCause, node_step
from crane_celery.model.asjson import node_to_json
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.store.api import Beat, Registration
from crane_celery.store.memory.part import Part, Shared

_LOST = "the node restarted while this ran"


class MemoryNodes(Part):
    """store.api.NodeStore."""

    def __init__(self, state: Shared) -> None:
        """No operator has said anything."""
        super().__init__(state)
        self._drains: dict[str, tuple[NodeState, str]] = {}

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. See store.api."""
        with self.log.lock:
            old = self.log.records.nodes.get(spec.name)
            if old and old.boot != boot:
                self.ending.write_off(spec.name, _LOST)
            self.guests.compare.discard(spec.name)
            epoch = 1 if not old else old.epoch + (old.boot != boot)
            node = Node(
                spec=spec, epoch=epoch, heard_at=self.log.now(), host=host, driver=driver, version=version, boot=boot
            )
            self.log.append(("node", {"node": node_to_json(self._revived(node, NodeCause.REGISTER))}))
            return Registration(epoch, [(e.id, e.run) for e in self.log.runs(spec.name)])

    def _revived(self, node: Node, cause: NodeCause) -> Node:
        """The node after it was heard of: draining or down where an operator has said so."""
        state, reason = self._drains.get(node.spec.name) or (node_step(node.state, cause), "")
        return replace(node, state=state, reason=reason)

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive. See store.api."""
        with self.log.lock:
            self.log.check_epoch(node, epoch)
            now = self.log.now()
            known = self.log.records.nodes[node] = replace(self.log.records.nodes[node], heard_at=now, load=load)
            if known.state == NodeState.DOWN != self._drains.get(node, (NodeState.UP, ""))[0]:
                self.log.append(("node", {"node": node_to_json(self._revived(known, NodeCause.HEAR))}))
            if node in self.guests.compare:
                raise StaleFence("another node of a run was written off: compare what runs here")
            leases = [e for e in self.log.runs(node) if self.guests.awaits(e, node)]
            stale = sorted((e.leased_at, e.id, e.run) for e in leases if not now - stale_s < e.leased_at <= now)
            kills = self.desired.kills.get(node, {})
            orders = self.desired.orders.get(node, {})
            stops, wanted = sorted((*run, kills[run]) for run in kills), [(*run, orders[run]) for run in sorted(orders)]
            return Beat(now, [s[1:] for s in stale[:1000]], stops, wanted)

    def node(self, name: str) -> Node | None:
        """One node."""
        return self.log.records.nodes.get(name)

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""
        return self.log.nodes()

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator. Raises NotFound."""
        with self.log.lock:
            node = self.log.records.nodes.get(name)
            if not node:
                raise NotFound(f"there is no node {name}; see cinfo for what there is")
            if state == NodeState.UP:
                self._drains.pop(name, None)
            else:
                self._drains[name] = (state, reason)
            self.log.append(("node", {"node": node_to_json(replace(node, state=state, reason=reason))}))
