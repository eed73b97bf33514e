"""One step on the nodes of its job: where its tasks go, or that they do not fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from crane_celery.stepsched.ground import Ground, Node
from crane_celery.stepsched.layout import BLOCK, Distribution, counts
from crane_celery.stepsched.need import Need, Part


def eligible(need: Need, ground: Ground, barred: Collection[str] = (), *, closed: bool = False) -> Iterator[Node]:
    """Yield the nodes that a need may use, in the job's order; ``closed``: also those that take nothing new now."""
    for name, node in ground.nodes.items():
        if (node.open or closed) and name not in need.without and name not in barred:
            yield node


def fit(need: Need, ground: Ground, barred: Collection[str] = (), how: Distribution = BLOCK) -> tuple[Part, ...] | None:
    """Return what a step would hold on each node, in the job's order; None if it does not fit now.

    As few nodes as hold the tasks, but at least ``need.nodes``; among equals the first of the job. Costs one look at
    each node, and a sort if one node does not suffice.
    """
    room = [(node, tasks) for node in eligible(need, ground, barred) if (tasks := node.tasks_of(need)) > 0]
    chosen = choose(need, room)
    if chosen is None:
        return None
    shares = counts([tasks for _, tasks in chosen], need.tasks, how)
    return tuple(_part(need, node, share) for (node, _), share in zip(chosen, shares, strict=True))


def possible(need: Need, ground: Ground) -> bool:
    """Return whether a step would fit with nothing else running and every node open."""
    nodes = eligible(need, ground, closed=True)
    return choose(need, [(node, tasks) for node in nodes if (tasks := node.tasks_of(need, empty=True)) > 0]) is not None


def choose(need: Need, room: list[tuple[Node, int]]) -> list[tuple[Node, int]] | None:
    """Return the nodes to use of those with room (and tasks that fit on each), in the job's order; None: too few."""
    must = [entry for entry in room if entry[0].name in need.only]
    if len(must) < len(need.only):
        return None
    if not must and need.nodes <= 1:
        for entry in room:
            if entry[1] >= need.tasks:
                return [entry]
    others = sorted((entry for entry in room if entry[0].name not in need.only), key=lambda entry: -entry[1])
    most = min(need.most or need.tasks, need.tasks)
    chosen, total = must, sum(tasks for _, tasks in must)
    for entry in others:
        if len(chosen) >= need.nodes and total >= need.tasks:
            break
        chosen = [*chosen, entry]
        total += entry[1]
    if total < need.tasks or not need.nodes <= len(chosen) <= most:
        return None
    order = {entry[0].name: at for at, entry in enumerate(room)}
    return sorted(chosen, key=lambda entry: order[entry[0].name])


def _part(need: Need, node: Node, tasks: int) -> Part:
    """Return what a step holds on a node with so many of its tasks; nothing is reserved for one that overlaps."""
    slots = node.pick(need.gres, everything=need.overlap) or ()
    if need.overlap:
        return Part(node.name, tasks, gres=slots, shared=True)
    return Part(node.name, tasks, tasks * need.cpu, need.memory, slots)
