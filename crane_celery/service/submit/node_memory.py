"""Define how much memory a request means on each node. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from crane_celery.errors import Infeasible
from crane_celery.grammar.memory import format_memory, parse_memory
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.service.submit.option_reader import Options
from crane_celery.service.submit.task_layout import Shape
from crane_celery.settings import Settings


class Amount(NamedTuple):
    """Bytes on each node; with ``whole`` all of it, wherever it runs, and that is ``size`` at least."""

    size: int
    whole: bool = False


def memory_of(
    opt: Options, asked: Shape, cpus_per_task: float, partition: Partition, settings: Settings, gpus: int = 0
) -> Amount:
    """Return what ``--mem``, ``--mem-per-cpu`` or ``--mem-per-gpu`` (of so many on each node) asks for, 0 being all
    of the
    node; else the default. Raises Infeasible."""
    cpus = asked.tasks_on_node * cpus_per_task
    memory = opt.read("mem", parse_memory, 0) or gpus * opt.read("mem_per_gpu", parse_memory, 0)
    per_cpu = opt.read("mem_per_cpu", parse_memory, 0)
    most, most_per_cpu = partition.max_memory_per_node, partition.max_memory_per_cpu
    whole = not memory and not per_cpu and (opt.given("mem") or opt.given("mem_per_cpu"))
    if whole:
        memory = least_whole(cpus, partition, settings.nodes)
    elif not memory and per_cpu:
        memory = int(per_cpu * cpus)
    elif not memory:
        memory = partition.default_memory_per_node or int(_default_per_cpu(partition, settings) * cpus)
        memory = int(min(memory, most or memory, most_per_cpu * cpus or memory))
    if most and memory > most:
        raise Infeasible(
            f"{format_memory(memory)} per node is beyond partition {partition.name}'s maximum {format_memory(most)}"
            " (MaxMemPerNode): ask for less, or use another partition"
        )
    if most_per_cpu and memory > most_per_cpu * cpus:
        raise Infeasible(
            f"{format_memory(memory)} for {cpus:g} CPUs is beyond partition {partition.name}'s maximum"
            f" {format_memory(most_per_cpu)} for each (MaxMemPerCpu): ask for less, or for"
            f" {-(-memory // most_per_cpu)} CPUs"
        )
    return Amount(max(memory, 1), whole)


def least_whole(cpus: float, partition: Partition, nodes: Mapping[str, NodeSpec]) -> int:
    """The memory of the smallest node of the partition that has so many CPUs; 0 where none has."""
    members = [nodes[name] for name in partition.nodes if name in nodes]
    return min((node.memory for node in members if node.cpus >= cpus), default=0)


def _default_per_cpu(partition: Partition, settings: Settings) -> float:
    """Bytes for each CPU: configured, else what the smallest node of the partition has for each of its CPUs."""
    if partition.default_memory_per_cpu:
        return partition.default_memory_per_cpu
    nodes = [settings.nodes[name] for name in partition.nodes if name in settings.nodes]
    return min((node.memory / node.cpus for node in nodes if node.cpus), default=0.0)
