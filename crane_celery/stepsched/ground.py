"""Define what the nodes of a job have and what of it is free. Changed by take, give, put and drop, and by nothing
else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crane_celery.stepsched.need import Need, Part

#: name or name:type -> slot numbers
Slots = Mapping[str, tuple[int, ...]]


class Node:
    """One node of the job: its share of CPUs (thousandths), memory (bytes) and GRES slots, in all and free."""

    __slots__ = ("all_slots", "cpu", "free_cpu", "free_memory", "memory", "name", "open", "slots")

    def __init__(self, name: str, cpu: int, memory: int, slots: Slots) -> None:
        """Make a node with everything free."""
        self.name = name
        self.cpu = self.free_cpu = cpu
        self.memory = self.free_memory = memory
        self.all_slots: dict[str, tuple[int, ...]] = dict(slots)
        self.slots: dict[str, tuple[int, ...]] = dict(slots)
        #: whether steps may be placed here (False while it drains or its manager is away)
        self.open = True

    def pick(
        self, gres: Iterable[tuple[str, int]], *, everything: bool = False
    ) -> tuple[tuple[str, tuple[int, ...]], ...] | None:
        """Return free slots (``everything``: any slots) for each (name, count); None if there are too few.

        The lowest numbers first. Names with a type choose first; a name without one takes what is left of every type.
        """
        left = {kind: list(slots) for kind, slots in (self.all_slots if everything else self.slots).items()}
        taken: dict[str, list[int]] = {}
        for name, count in sorted(gres, key=lambda item: (":" not in item[0], item[0])):
            for kind in sorted(kind for kind in left if name in (kind, kind.partition(":")[0])):
                chosen, left[kind] = left[kind][:count], left[kind][count:]
                taken.setdefault(kind, []).extend(chosen)
                count -= len(chosen)
            if count > 0:
                return None
        return tuple((kind, tuple(slots)) for kind, slots in sorted(taken.items()) if slots)

    def tasks_of(self, need: Need, *, empty: bool = False) -> int:
        """Return how many tasks of a need fit now, or (``empty``) would fit with nothing running; at most its tasks."""
        cpu, memory = (self.cpu, self.memory) if empty or need.overlap else (self.free_cpu, self.free_memory)
        if memory < need.memory:
            return 0
        if need.gres and self.pick(need.gres, everything=empty or need.overlap) is None:
            return 0
        tasks = min(need.tasks, cpu // need.cpu) if need.cpu else need.tasks
        return min(tasks, need.per_node) if need.per_node else tasks


class Ground:
    """The nodes of one job, in the order of its node list."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        """Begin with these nodes."""
        self.nodes: dict[str, Node] = {node.name: node for node in nodes}

    def most_free(self) -> int:
        """Return the CPUs (thousandths) that are free on the open node that has most of them."""
        return max((node.free_cpu for node in self.nodes.values() if node.open), default=0)

    def put(self, name: str, cpu: int, memory: int, slots: Slots) -> None:
        """Add a node, or give one another size; what is held on it stays held."""
        old = self.nodes.get(name)
        node = self.nodes[name] = Node(name, cpu, memory, slots)
        if old is not None:
            node.open = old.open
            node.free_cpu -= old.cpu - old.free_cpu
            node.free_memory -= old.memory - old.free_memory
            for kind, slots_held in old.all_slots.items():
                held = set(slots_held) - set(old.slots.get(kind, ()))
                node.slots[kind] = tuple(at for at in node.slots.get(kind, ()) if at not in held)

    def drop(self, name: str) -> None:
        """Forget a node; steps that ran there give nothing back."""
        self.nodes.pop(name, None)

    def take(self, parts: Iterable[Part]) -> None:
        """Mark what a step holds as taken."""
        for part in parts:
            if (node := self.nodes.get(part.node)) is not None:
                node.free_cpu -= part.cpu
                node.free_memory -= part.memory
                for kind, taken in () if part.shared else part.gres:
                    node.slots[kind] = tuple(at for at in node.slots.get(kind, ()) if at not in taken)

    def give(self, parts: Iterable[Part]) -> None:
        """Mark what a step held as free again."""
        for part in parts:
            if (node := self.nodes.get(part.node)) is not None:
                node.free_cpu += part.cpu
                node.free_memory += part.memory
                for kind, taken in () if part.shared else part.gres:
                    owned = set(node.all_slots.get(kind, ()))
                    node.slots[kind] = tuple(sorted({*node.slots.get(kind, ()), *(owned & set(taken))}))
