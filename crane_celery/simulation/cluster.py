"""The cluster of a simulation, and what a job of a trace becomes on it."""

from __future__ import annotations

from typing import NamedTuple

from crane_celery.errors import InputError
from crane_celery.model.job import Job, JobSpec
from crane_celery.model.node import Node, NodeSpec, NodeState, Partition
from crane_celery.simulation.trace import TraceJob

_MAIN = "main"


class Cluster(NamedTuple):
    """Equal nodes."""

    nodes: int
    cpus: int
    memory: int = 0  # bytes of each; 0 = memory is left out of account

    @property
    def total(self) -> int:
        """All its CPUs."""
        return self.nodes * self.cpus

    @property
    def partition(self) -> Partition:
        """The one partition that holds all of it."""
        return Partition(name=_MAIN, nodes=tuple(f"n{number}" for number in range(1, self.nodes + 1)))

    def members(self) -> list[Node]:
        """Its nodes, all up and idle."""
        return [
            Node(spec=NodeSpec(name=name, cpus=self.cpus, memory=self.memory), state=NodeState.UP, epoch=1)
            for name in self.partition.nodes
        ]

    def job(self, each: TraceJob, id: int, now: float) -> Job:
        """The submission: as few nodes as hold its processors, the same number on each.

        InputError when this cluster can never run it.
        """
        nodes = -(-each.procs // self.cpus)
        on_each = -(-each.procs // nodes)
        memory = each.memory * on_each if self.memory else 0
        if nodes > self.nodes or memory > self.memory:
            raise InputError(self._too_small(each, nodes, memory))
        spec = JobSpec(
            name=f"j{each.number}",
            uid=each.user,
            gid=0,
            user=f"u{each.user}",
            nodes=nodes,
            ntasks=nodes * on_each,
            memory=memory,
            partition=_MAIN,
            time_limit=each.limit or None,
        )
        return Job(id=id, spec=spec, count=1, submitted_at=now, pending="0")

    def _too_small(self, each: TraceJob, nodes: int, memory: int) -> str:
        if nodes > self.nodes:
            return (
                f"job {each.number} of the trace ran on {each.procs} processors, and the cluster has {self.total}: "
                f"give it --nodes {nodes} or more"
            )
        return (
            f"job {each.number} of the trace needs {-(-memory // 2**20)} MB on a node, and a node has "
            f"{self.memory // 2**20}: give --mem more, or leave it out"
        )
