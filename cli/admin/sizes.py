"""The configuration that `crane up` writes for a cluster of virtual nodes, from the sizes it was given. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crane_celery.grammar.gres import parse_gres
from crane_celery.grammar.memory import parse_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Record of what each of ``nodes`` nodes offers; ``memory`` and ``gres`` as typed."""

    nodes: int
    cpus: int
    memory: str
    gres: str = ""
    cgroup: str = "auto"

    def check(self) -> None:
        """Raise InputError where memory or gres cannot be read."""
        parse_memory(self.memory)
        if self.gres:
            parse_gres(self.gres)


def configuration(cluster: str, sizes: Sizes, root: bool) -> str:
    """The text of the file. ``root``: root starts it, so root's jobs are permitted."""
    names = f"n[1-{sizes.nodes}]" if sizes.nodes > 1 else "n1"
    gres = f", gres: '{sizes.gres}'" if sizes.gres else ""
    return f"""\
# Made by 'crane up'. Every key is described in docs/configuration.md; 'crane config' shows what is in effect.
ClusterName: {cluster}
AllowRoot: {"true" if root else "false"}
Cgroup: {sizes.cgroup}
Nodes:
  - {{name: '{names}', cpu: {sizes.cpus}, memory: {sizes.memory}{gres}}}
Partitions:
  - {{name: main, nodes: ALL}}
DefaultPartition: main
"""
