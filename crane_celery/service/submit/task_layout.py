"""Define how many nodes and tasks an incomplete request means. Pure (reference/cranesched.md section 0.8)."""

from collections.abc import Callable
from typing import NamedTuple

from crane_celery.errors import InputError


class Shape(NamedTuple):
    """A complete request."""

    nodes: int
    ntasks: int
    ntasks_per_node: int  # 0 = spread evenly
    notice: str = ""

    @property
    def tasks_on_node(self) -> int:
        """Tasks of the node that has the most."""
        return self.ntasks_per_node or -(-self.ntasks // self.nodes)


def fewest(ntasks: int, holding: Callable[[int], int]) -> int:
    """The fewest nodes that so many tasks fit on, spread evenly; 1 where they fit on none.

    ``holding``: how many nodes hold so many tasks each.
    """
    nodes, all_of_one = 1, holding(1)
    while nodes <= min(ntasks, all_of_one):
        tasks = -(-ntasks // nodes)
        if holding(tasks) >= nodes:
            return nodes
        # the fewest nodes with fewer tasks on each
        nodes = -(-ntasks // (tasks - 1)) if tasks > 1 else ntasks + 1
    return 1


def shape(nodes: int, ntasks: int, per_node: int) -> Shape:
    """The shape meant by ``-N``, ``-n`` and ``--ntasks-per-node``, each 0 when not given. Raises InputError.

    Without -N: as many nodes as the tasks need, one when nothing bounds the tasks of a node. More nodes than tasks are
    reduced to the tasks, with a notice.
    """
    if not nodes:
        ntasks = ntasks or per_node or 1
        return Shape(-(-ntasks // per_node) if per_node else 1, ntasks, per_node)
    ntasks = ntasks or nodes * (per_node or 1)
    if per_node and per_node * nodes < ntasks:
        raise InputError(
            f"--ntasks={ntasks} do not fit {nodes} node(s) of --ntasks-per-node={per_node}: ask for"
            f" {-(-ntasks // per_node)} nodes, or fewer tasks"
        )
    if nodes > ntasks:
        return Shape(ntasks, ntasks, per_node, f"{nodes} nodes for {ntasks} task(s): reduced to {ntasks} node(s)")
    return Shape(nodes, ntasks, per_node)
