"""Define what a request asks of how many nodes: tasks, CPUs, memory, devices. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from crane_celery.grammar.gres import Gres, parse_gpus_per_node
from crane_celery.grammar.memory import parse_memory
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.sched.feasible import gres_on
from crane_celery.service.submit.gres import gres_of
from crane_celery.service.submit.node_memory import Amount, memory_of
from crane_celery.service.submit.option_reader import MAX_NUMBER, Options
from crane_celery.service.submit.task_layout import Shape, fewest, shape
from crane_celery.settings import Settings


class Size(NamedTuple):
    """A complete request."""

    shape: Shape
    cpus_per_task: float
    memory: Amount
    #: on each node, by name:type or name
    gres: dict[str, int]


def size_of(opt: Options, nodes: Sequence[NodeSpec], partition: Partition, settings: Settings) -> Size:
    """Work out what was left open; ``nodes``: those that may serve it, by name alone. Raises InputError, Infeasible."""
    opt.refuse_both("mem", "mem_per_cpu")
    opt.refuse_both("mem", "mem_per_gpu")
    opt.refuse_both("mem_per_cpu", "mem_per_gpu")
    opt.refuse_both("cpus_per_task", "cpus_per_gpu")
    asked = _shape(opt, nodes)
    gres = gres_of(opt, asked.nodes, asked.tasks_on_node)
    gpus = sum(count for name, count in gres.items() if name.partition(":")[0] == "gpu")
    cpus = _cpus(opt, asked, gpus)
    memory = memory_of(opt, asked, cpus, partition, settings, _of_gpus(opt, "mem_per_gpu", gpus))
    return Size(asked, cpus, memory, gres)


def _shape(opt: Options, members: Sequence[NodeSpec]) -> Shape:
    """Nodes and tasks; tasks without nodes go on as few as hold them."""
    nodes, ntasks, per_node = opt.number("nodes"), opt.number("ntasks"), opt.number("ntasks_per_node")
    ntasks = ntasks or _tasks_of_gpus(opt, nodes)
    if ntasks > 1 and not nodes and not per_node:
        nodes = fewest(ntasks, lambda tasks: _holding(tasks, opt, members))
    return shape(nodes, ntasks, per_node)


def _tasks_of_gpus(opt: Options, nodes: int) -> int:
    """``--ntasks-per-gpu`` times the GPUs of the job; 0 where it was not given. InputError where there are none."""
    each = opt.number("ntasks_per_gpu")
    none: Gres = {}
    total = sum(opt.read("gpus", parse_gpus_per_node, none).values())
    total = total or max(nodes, 1) * sum(opt.read("gpus_per_node", parse_gpus_per_node, none).values())
    if each and not total:
        raise opt.error("ntasks_per_gpu", "the job has no GPUs: give --gpus or --gpus-per-node too")
    if each * total > MAX_NUMBER:
        raise opt.error("ntasks_per_gpu", f"{each * total} tasks are too many: {MAX_NUMBER} at most")
    return each * total


def _cpus(opt: Options, asked: Shape, gpus: int) -> float:
    """CPUs of each task: as given, or its part of those that come with the GPUs of a node."""
    if not opt.given("cpus_per_gpu"):
        return opt.cpus()
    _of_gpus(opt, "cpus_per_gpu", gpus)
    return opt.number("cpus_per_gpu") * gpus / asked.tasks_on_node


def _of_gpus(opt: Options, name: str, gpus: int) -> int:
    """The GPUs of a node that an option counts by, 0 where it was not given. InputError where there are none."""
    if not opt.given(name):
        return 0
    if not gpus:
        raise opt.error(name, "the job has no GPUs: give --gpus, --gpus-per-node or --gpus-per-task too")
    return gpus


def _holding(tasks: int, opt: Options, nodes: Sequence[NodeSpec]) -> int:
    """Return how many nodes hold so many of its tasks each."""
    none: Gres = {}
    cpus = tasks * opt.cpus()
    memory = max(opt.read("mem", parse_memory, 0), int(opt.read("mem_per_cpu", parse_memory, 0) * cpus))
    gpus = opt.read("gpus_per_task", parse_gpus_per_node, none)
    gres = {":".join(filter(None, key)): count * tasks for key, count in gpus.items()}
    return sum(
        cpus <= node.cpus
        and memory <= node.memory
        and all(gres_on(node.gres, name) >= count for name, count in gres.items())
        for node in nodes
    )
