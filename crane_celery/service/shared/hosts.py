"""Nodes as people name them in requests: host lists, held against the nodes that there are while they are read."""

from collections.abc import Collection, Iterable

from crane_celery.errors import NotFound
from crane_celery.grammar.hostlist import each_name
from crane_celery.grammar.names import instead

#: names that one change or filter may have, where the cluster has fewer nodes
FEW = 1000


def known_nodes(texts: Iterable[str], nodes: Collection[str]) -> list[str]:
    """Return the nodes that host lists name, each once.

    Raises InputError, and NotFound for the first that is not in ``nodes``, before any further name is made.
    """
    found: dict[str, None] = {}
    for name in each_name(texts):
        if name not in nodes:
            raise NotFound(f"there is no node {name[:60]!r}{instead(name, nodes, 'cinfo')}")
        found[name] = None
    return list(found)


def most_names(nodes: Collection[str]) -> int:
    """Return how many names a request may have that nobody compares with the nodes of the cluster."""
    return max(FEW, len(nodes))
