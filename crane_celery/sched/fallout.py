"""Define where a request cannot start now, node by node, in numbers. Pure; asked by a person, never by a cycle: a
look at each
node of the partition.

A node is counted once, under the first condition that it fails, those that no end of a run can change coming first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from crane_celery.grammar.constraint import parse_constraint, satisfies
from crane_celery.grammar.memory import format_memory
from crane_celery.model.node import NodeState
from crane_celery.sched.feasible import gres_on
from crane_celery.sched.pool import Pool
from crane_celery.sched.want import MILLI, Want

#: whether rooms kept on a node leave room for a want
Kept = Callable[[int, Want], bool]


class Fallout(NamedTuple):
    """Nodes that fail one condition. ``needed`` and ``most``: of what there is too little, on the best of them."""

    nodes: int
    what: str
    needed: float = 0.0
    most: float = 0.0

    @property
    def text(self) -> str:
        """One phrase: ``2 nodes: too few CPUs free, 8 needed, at most 6 there, 2 short``."""
        words = f"{self.nodes} node{'s' if self.nodes > 1 else ''}: {self.what}"
        if self.needed <= 0:
            return words
        show = _memory if "memory" in self.what else "{:g}".format
        short = show(self.needed - self.most)
        return f"{words}, {show(self.needed)} needed, at most {show(self.most)} there, {short} short"


def _memory(size: float) -> str:
    return format_memory(int(size))


class Counted(NamedTuple):
    """All nodes of a partition: those with room now, and why not the others."""

    nodes: int
    room: int
    fallouts: list[Fallout]


def count(pool: Pool, want: Want, kept: Kept | None = None) -> Counted:
    """Judge every node of the want's partition. ``kept``: whether rooms kept there leave room for it."""
    members = sorted(pool.members.get(want.partition, ()))
    found: dict[str, Fallout] = {}
    room = 0
    for at in members:
        lack = _lasting(pool, at, want) or _now(pool, at, want)
        if lack is None and kept is not None and not kept(at, want):
            lack = Fallout(1, "room that is kept for jobs ahead")
        if lack is None:
            room += 1
            continue
        same = found.get(lack.what)
        found[lack.what] = lack._replace(nodes=same.nodes + 1, most=max(same.most, lack.most)) if same else lack
    return Counted(len(members), room, list(found.values()))


def _lasting(pool: Pool, at: int, want: Want) -> Fallout | None:
    """Return what keeps a node from serving it even when it is idle."""
    node = pool.nodes[at]
    spec = node.spec
    if want.nodelist and spec.name not in want.nodelist:
        return Fallout(1, "not among those asked for")
    if spec.name in want.exclude:
        return Fallout(1, "excluded by the job")
    if want.constraint and not satisfies(spec.features, parse_constraint(want.constraint)):
        return Fallout(1, f"without the features {want.constraint}")
    if round(spec.cpus * MILLI) < want.cpu:
        return Fallout(1, "too few CPUs", want.cpu / MILLI, spec.cpus)
    if spec.memory < want.memory:
        return Fallout(1, "too little memory", want.memory, spec.memory)
    for name, needed in want.gres:
        if gres_on(spec.gres, name) < needed:
            return Fallout(1, f"too few {name}", needed, gres_on(spec.gres, name))
    if node.state is not NodeState.UP:
        return Fallout(1, "drained" if node.state is NodeState.DRAIN else "down")
    return None


def _now(pool: Pool, at: int, want: Want) -> Fallout | None:
    """Return what keeps a node that could serve it from doing so now."""
    if want.exclusive and pool.holders[at]:
        return Fallout(1, "in use, and whole nodes were asked for")
    if pool.cpu[at] < want.cpu:
        return Fallout(1, "too few CPUs free", want.cpu / MILLI, max(0, pool.cpu[at]) / MILLI)
    if pool.memory[at] < pool.memory_for(at, want):
        return Fallout(1, "too little memory free", pool.memory_for(at, want), max(0, pool.memory[at]))
    if want.gres and pool.pick(at, want.gres) is None:
        name, needed, free = _scarce(pool, at, want)
        return Fallout(1, f"too few {name} free", needed, free)
    return None


def _scarce(pool: Pool, at: int, want: Want) -> tuple[str, int, int]:
    """The first resource by name of which a node has too little free: (name, needed, free)."""
    free = {key: sum(1 for users in held if not users) for key, held in pool.slots[at].items()}
    for name, needed in want.gres:
        if gres_on(free, name) < needed:
            return name, needed, gres_on(free, name)
    total = sum(needed for _, needed in want.gres)  # typed and untyped ones of one kind together
    return want.gres[-1][0], total, sum(free.values())
