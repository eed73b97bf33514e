"""Define what is free on every node, in columns, with a bound for each block of nodes.

Columns of whole numbers are copied in microseconds, so a cycle plans on a copy and the view stays as it is. A search
passes over blocks of 64 nodes whose largest free CPU or memory is too small: on 10,000 nodes that are 90 % full it
looks at about 160 bounds and a block or two. A node that may get nothing new (down, draining) has ``_CLOSED`` taken
off its free CPUs: it keeps its accounts and never fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from crane_celery.grammar.constraint import parse_constraint, satisfies
from crane_celery.grammar.hostlist import compress, expand
from crane_celery.model.job import Allocation
from crane_celery.model.node import Node, NodeState, Partition
from crane_celery.sched.want import MILLI, Want, milli

_BLOCK = 64
_CLOSED = 1 << 50

#: whether rooms that are kept on a node leave room for a want
Kept = Callable[[int, Want], bool]
#: name:type -> for each slot, how many hold it (more than one only while events catch up with a snapshot)
Slots = dict[str, tuple[int, ...]]


class Pool:
    """Free resources of all nodes. Nodes are known by their number, in order of their first appearance."""

    def __init__(self, partitions: Mapping[str, Partition]) -> None:
        self.names: list[str] = []
        self.number: dict[str, int] = {}
        self.cpu: list[int] = []  # free, thousandths
        self.memory: list[int] = []  # free, bytes
        self.holders: list[int] = []  # allocations on it
        self.slots: list[Slots] = []
        self.nodes: list[Node] = []
        self.members: dict[str, set[int]] = {name: set() for name in partitions}
        #: nodes on which something was given back, or that changed, since whoever plans last cleared it
        self.freed: set[int] = set()
        self._partitions = {name: frozenset(partition.nodes) for name, partition in partitions.items()}
        self._features: dict[tuple[int, str], bool] = {}  # (node, constraint) -> whether it is met
        self._top_cpu: list[int] = []
        self._top_memory: list[int] = []

    def copy(self) -> Pool:
        """A scratch copy to plan on: what is free is its own, what nodes are is shared."""
        made = Pool.__new__(Pool)
        made.__dict__.update(self.__dict__)
        made.freed = set()
        for column in ("cpu", "memory", "holders", "slots", "_top_cpu", "_top_memory"):
            made.__dict__[column] = self.__dict__[column].copy()
        return made

    def put(self, node: Node) -> None:
        """Take a node in, or its new state, size or epoch; what is allocated on it stays allocated."""
        at = self.number.get(node.spec.name)
        if at is None:
            at = self._append(node)
        else:
            self._shift(at, self.nodes[at], -1)
        if self.nodes[at].spec.features != node.spec.features:
            self._features.clear()
        self.nodes[at] = node
        self._shift(at, node, 1)

    def _append(self, node: Node) -> int:
        at = self.number[node.spec.name] = len(self.names)
        self.names.append(node.spec.name)
        self.nodes.append(node)
        for column in (self.cpu, self.memory, self.holders):
            column.append(0)
        self.slots.append({})
        if at % _BLOCK == 0:
            self._top_cpu.append(0)
            self._top_memory.append(0)
        for name, wanted in self._partitions.items():
            if node.spec.name in wanted:
                self.members[name].add(at)
        return at

    def _shift(self, at: int, node: Node, sign: int) -> None:
        """Add a node's capacity (sign 1), or take it away (-1)."""
        closed = _CLOSED if node.state is not NodeState.UP else 0
        if sign > 0:
            old = self.slots[at]
            self.slots[at] = {name: _resized(old.get(name, ()), count) for name, count in node.spec.gres.items()}
        self._move(at, sign * (round(node.spec.cpus * MILLI) - closed), sign * node.spec.memory)

    def take(self, parts: Iterable[Allocation], sign: int = -1) -> None:
        """Hold what a run was given, or give it back (sign 1). Parts on unknown nodes are passed over."""
        for part in parts:
            at = self.number.get(part.node)
            if at is None:
                continue
            self.holders[at] -= sign
            if part.gres:
                self.slots[at] = _counted(self.slots[at], part.gres, -sign)
            self._move(at, sign * milli(part.cpus), sign * part.memory)

    def give(self, parts: Iterable[Allocation]) -> None:
        """Give back what ``take`` held."""
        self.take(parts, 1)

    def _move(self, at: int, cpu: int, memory: int) -> None:
        """Change what is free on one node; keeps the bounds of its block exact."""
        if cpu > 0 or memory > 0:
            self.freed.add(at)
        block = at // _BLOCK
        self._top_cpu[block] = _moved(self.cpu, at, cpu, self._top_cpu[block])
        self._top_memory[block] = _moved(self.memory, at, memory, self._top_memory[block])

    def most_free(self) -> tuple[int, int]:
        """The largest free CPU (thousandths) and memory (bytes) of any open node, each by itself."""
        return max([0, *self._top_cpu]), max([0, *self._top_memory])

    def find(self, want: Want, start: int = 0, kept: Kept | None = None) -> list[int]:
        """The first nodes from ``start`` on that hold it, as many as it asks for; fewer when there are no more.

        ``kept`` says of a node whether rooms that are kept there leave room for it.
        """
        found: list[int] = []
        for at in self.fitting(want, start):
            if kept is not None and not kept(at, want):
                continue
            found.append(at)
            if len(found) == want.nodes:
                break
        return found

    def by_name(self, found: list[int]) -> list[int]:
        """These nodes in the order in which a host list names them: the first is where the script runs."""
        return [self.number[name] for name in expand(compress(self.names[at] for at in found), len(found))]

    def is_open(self, at: int) -> bool:
        """Return whether a node may get anything new."""
        return self.nodes[at].state is NodeState.UP

    def fitting(self, want: Want, start: int = 0) -> Iterator[int]:
        """Every node from ``start`` on that holds it now."""
        members = self.members.get(want.partition, ())
        cpu, memory, need_cpu, need_memory, plain = self.cpu, self.memory, want.cpu, want.memory, want.plain
        first, end = start // _BLOCK, len(cpu)
        for block, (top, most) in enumerate(zip(self._top_cpu[first:], self._top_memory[first:], strict=True), first):
            if top < need_cpu or most < need_memory:
                continue
            for at in range(max(start, block * _BLOCK), min(block * _BLOCK + _BLOCK, end)):
                fits = cpu[at] >= need_cpu and memory[at] >= need_memory and at in members
                if fits and (plain or self._admits(at, want)):
                    yield at

    def _admits(self, at: int, want: Want) -> bool:
        """The rest of the conditions, which few requests have."""
        name = self.names[at]
        return (
            (not want.nodelist or name in want.nodelist)
            and name not in want.exclude
            and (not want.exclusive or not self.holders[at])
            and (not want.whole_memory or self.memory[at] >= self.memory_for(at, want))
            and (not want.constraint or self._has(at, want.constraint))
            and want.tmp <= self.nodes[at].spec.tmp
            and (not want.gres or self.pick(at, want.gres) is not None)
        )

    def _has(self, at: int, constraint: str) -> bool:
        """Return whether a node has the features."""
        key = (at, constraint)
        known = self._features.get(key)
        if known is None:
            known = self._features[key] = satisfies(self.nodes[at].spec.features, parse_constraint(constraint))
        return known

    def pick(self, at: int, gres: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]] | None:
        """Free slots for a request on one node, lowest numbers first; None when there are not enough."""
        free = {key: [n for n, users in enumerate(users) if not users] for key, users in self.slots[at].items()}
        picked: dict[str, tuple[int, ...]] = {}
        for name, count in gres:
            for key in [key for key in free if key == name or key.startswith(f"{name}:")]:
                chosen, free[key] = free[key][:count], free[key][count:]
                count -= len(chosen)
                if chosen:
                    picked[key] = picked.get(key, ()) + tuple(chosen)
            if count:
                return None
        return picked

    def memory_for(self, at: int, want: Want) -> int:
        """Bytes that a want takes on a node."""
        return self.nodes[at].spec.memory if want.whole_memory else want.memory

    def part(self, at: int, want: Want) -> Allocation:
        """Return what a want gets on a node that ``find`` named: with ``exclusive`` all its CPUs and memory."""
        spec = self.nodes[at].spec
        gres = (self.pick(at, want.gres) or {}) if want.gres else {}
        if want.exclusive:
            return Allocation(node=spec.name, cpus=spec.cpus, memory=spec.memory, gres=gres)
        return Allocation(node=spec.name, cpus=want.cpu / MILLI, memory=self.memory_for(at, want), gres=gres)


def _moved(column: list[int], at: int, by: int, top: int) -> int:
    """Change one value; the largest of its block after that, looked for only when the old value may have been it."""
    old = column[at]
    new = column[at] = old + by
    if new >= top:
        return new
    if old < top:
        return top
    low = at - at % _BLOCK
    return max(column[low : low + _BLOCK])


def _resized(users: tuple[int, ...], count: int) -> tuple[int, ...]:
    return (users + (0,) * count)[: max(count, 0)]


def _counted(slots: Slots, gres: Mapping[str, tuple[int, ...]], by: int) -> Slots:
    """The slots with ``by`` more holders of those named; the old value is left alone, copies share it."""
    changed = dict(slots)
    for name, numbers in gres.items():
        users = list(changed.get(name, ()))
        for number in numbers:
            if number < len(users):
                users[number] += by
        changed[name] = tuple(users)
    return changed
