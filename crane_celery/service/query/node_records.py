"""Nodes and partitions as people see them: what they have, what is taken, what runs there. Pure over records."""

from collections.abc import Iterable, Mapping
from typing import Any

from crane_celery.model.job import Element
from crane_celery.model.node import Node, NodeSpec, NodeState, Partition

Record = dict[str, Any]


def resource_state(node: Node | None, used: float) -> str:
    """idle, mix, alloc or down; a drained node shows what it still runs."""
    if node is None or node.state is NodeState.DOWN:
        return "down"
    if used <= 0:
        return "idle"
    return "alloc" if used >= node.spec.cpus else "mix"


def node_records(
    configured: Mapping[str, NodeSpec],
    known: Iterable[Node],
    partitions: Iterable[Partition],
    elements: Iterable[Element],
) -> list[Record]:
    """All nodes by name: configured ones that never registered are down."""
    nodes = {node.spec.name: node for node in known}
    used = _usage(elements)
    members: dict[str, list[str]] = {}
    for partition in partitions:
        for name in partition.nodes:
            members.setdefault(name, []).append(partition.name)
    return [
        _record(name, nodes.get(name), configured.get(name), members.get(name, []), used.get(name, _nothing()))
        for name in sorted({*nodes, *configured})
    ]


def _nothing() -> Record:
    return {"cpus": 0.0, "memory": 0, "gres": {}, "jobs": []}


def _usage(elements: Iterable[Element]) -> dict[str, Record]:
    """Return what is taken on each node."""
    used: dict[str, Record] = {}
    for element in elements:
        for part in element.allocation:
            here = used.setdefault(part.node, _nothing())
            here["cpus"] += part.cpus
            here["memory"] += part.memory
            here["jobs"].append(element.id)
            for name, slots in part.gres.items():
                here["gres"][name] = here["gres"].get(name, 0) + len(slots)
    return used


def _record(name: str, node: Node | None, spec: NodeSpec | None, partitions: list[str], used: Record) -> Record:
    shown = node.spec if node else spec
    assert shown is not None  # it came from one of the two
    drained = node is not None and node.state is NodeState.DRAIN
    state = resource_state(node, used["cpus"])
    return {
        "name": name,
        "state": state,
        "drained": drained,
        "shown": f"{state}(drain)" if drained else state,
        "cpus": shown.cpus,
        "alloc_cpus": used["cpus"],
        "free_cpus": max(0.0, shown.cpus - used["cpus"]),
        "memory": shown.memory,
        "alloc_memory": used["memory"],
        "free_memory": max(0, shown.memory - used["memory"]),
        "gres": shown.gres,
        "alloc_gres": used["gres"],
        "free_gres": {key: count - used["gres"].get(key, 0) for key, count in shown.gres.items()},
        "features": list(shown.features),
        "partitions": partitions,
        "jobs": sorted(used["jobs"]),
        "reason": node.reason if node else "never registered",
        "host": node.host if node else "",
        "driver": node.driver if node else "",
        "version": node.version if node else "",
        "boot": node.boot if node else "",
        "epoch": node.epoch if node else 0,
        "heard_at": node.heard_at if node else 0.0,
        "load": node.load if node and node.load >= 0 and state != "down" else None,
    }


def partition_record(partition: Partition, nodes: Mapping[str, Record], default: bool) -> Record:
    """A partition with the sums over its nodes."""
    members = [nodes[name] for name in partition.nodes if name in nodes]
    alive = [node for node in members if node["state"] != "down"]
    return {
        "name": partition.name,
        "up": partition.up,
        "default": default,
        "nodes": list(partition.nodes),
        "total_nodes": len(partition.nodes),
        "alive_nodes": len(alive),
        **{f"total_{key}": sum(node[key] for node in members) for key in ("cpus", "memory")},
        **{f"avail_{key}": sum(node[f"free_{key}"] for node in alive) for key in ("cpus", "memory")},
        **{f"alloc_{key}": sum(node[f"alloc_{key}"] for node in members) for key in ("cpus", "memory")},
        **{name: getattr(partition, name) for name in _LIMITS},
    }


#: what a partition allows and gives, as configured
_LIMITS = (
    *("default_time", "max_time", "default_memory_per_cpu", "default_memory_per_node", "max_memory_per_cpu"),
    *("max_memory_per_node", "max_submit_jobs", "max_jobs", "max_array_count", "priority"),
)
