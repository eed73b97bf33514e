"""Could the cluster ever run this? Asked once, at submission, of the configuration; never of what is free now."""

from collections.abc import Iterable, Mapping

from crane_celery.errors import Infeasible, NotFound
from crane_celery.grammar.memory import format_memory
from crane_celery.model.job import JobSpec
from crane_celery.model.node import NodeSpec, Partition


def gres_on(have: Mapping[str, int], name: str) -> int:
    """Slots of ``name`` among ``have``: "gpu" counts every type of it, "gpu:a100" that type only."""
    if ":" in name:
        return have.get(name, 0)
    return sum(count for key, count in have.items() if key == name or key.startswith(f"{name}:"))


def check(spec: JobSpec, nodes: Mapping[str, NodeSpec], partitions: Mapping[str, Partition]) -> None:
    """Raises Infeasible, saying what there is, when no set of nodes could ever hold it; NotFound for the partition."""
    partition = partitions.get(spec.partition)
    if partition is None:
        raise NotFound(f"no partition {spec.partition!r}: there are {', '.join(sorted(partitions))}")
    members = _members(spec, partition, nodes)
    if spec.nodes > len(members):
        raise Infeasible(f"{spec.nodes} nodes were asked for; {_place(spec)} has {len(members)}")
    _check_tasks(spec)
    fitting = [node for node in members if not _lacks(spec, node)]
    if len(fitting) < spec.nodes:
        raise Infeasible(_why(spec, members, len(fitting)))


def _members(spec: JobSpec, partition: Partition, nodes: Mapping[str, NodeSpec]) -> list[NodeSpec]:
    """The nodes that may serve it, by name alone."""
    wanted = frozenset(spec.nodelist)
    names = [name for name in partition.nodes if name in nodes and name not in spec.exclude]
    return [nodes[name] for name in names if not wanted or name in wanted]


def _check_tasks(spec: JobSpec) -> None:
    if spec.ntasks_per_node and spec.ntasks > spec.ntasks_per_node * spec.nodes:
        raise Infeasible(
            f"{spec.ntasks} tasks were asked for; {spec.nodes} nodes with {spec.ntasks_per_node} tasks each hold "
            f"{spec.ntasks_per_node * spec.nodes}"
        )


def _lacks(spec: JobSpec, node: NodeSpec) -> bool:
    return (
        spec.cpus_per_node > node.cpus
        or spec.memory > node.memory
        or spec.tmp > node.tmp
        or any(count > gres_on(node.gres, name) for name, count in spec.gres.items())
    )


def _why(spec: JobSpec, members: Iterable[NodeSpec], fitting: int) -> str:
    """One sentence with what was asked and the most that any one node has."""
    nodes = list(members)
    asked = [f"{spec.cpus_per_node:g} CPUs", format_memory(spec.memory)]
    have = [f"{max(n.cpus for n in nodes):g} CPUs", format_memory(max(n.memory for n in nodes))]
    if spec.tmp:
        asked.append(f"{format_memory(spec.tmp)} of temporary disk")
        have.append(f"{format_memory(max(n.tmp for n in nodes))} of temporary disk")
    for name, count in spec.gres.items():
        asked.append(f"{count} {name}")
        have.append(f"{max(gres_on(n.gres, name) for n in nodes)} {name}")
    what = f"{_place(spec)} has at most {', '.join(have)} on a node"
    if spec.nodes == 1:
        return f"{', '.join(asked)} on one node were asked for; {what}"
    return f"{', '.join(asked)} on each of {spec.nodes} nodes were asked for; {what}, and {fitting} nodes that fit"


def _place(spec: JobSpec) -> str:
    limits = [f"of {','.join(spec.nodelist)}"] if spec.nodelist else []
    limits += [f"without {','.join(spec.exclude)}"] if spec.exclude else []
    return " ".join([f"partition {spec.partition}", *limits])
