"""Define what a step asks for, in whole numbers. Steps of equal needs are interchangeable and are looked at once."""

from typing import NamedTuple

#: CPUs are counted in thousandths, so that taking and giving back fractions leaves no rounding behind
MILLI = 1000


def milli(cpus: float) -> int:
    """Return CPUs as thousandths, rounded."""
    return round(cpus * MILLI)


class Need(NamedTuple):
    """Record of what one step asks for; immutable and hashable, the key of a class of steps."""

    tasks: int = 1
    cpu: int = 0  # thousandths of a CPU for each task
    memory: int = 0  # bytes on each node; 0 = the job's, shared and not reserved
    gres: tuple[tuple[str, int], ...] = ()  # (name or name:type, slots) on each node
    nodes: int = 1  # at least so many nodes
    most: int = 0  # at most so many nodes; 0 = any number
    per_node: int = 0  # at most so many tasks on a node; 0 = any number
    only: frozenset[str] = frozenset()  # all of these nodes, and if they suffice no others; empty = any
    without: frozenset[str] = frozenset()  # none of these nodes
    overlap: bool = False  # uses what the job holds, reserves nothing
    limit: float = 0.0  # seconds that it may run; 0 = until the job ends

    def covers(self, other: "Need") -> bool:
        """Return whether this asks for no more than ``other`` in each respect: where ``other`` fits, this fits too.

        Not of a need with fewer tasks than nodes, which fits nowhere.
        """
        return (
            max(self.nodes, len(self.only)) <= self.tasks <= other.tasks
            and self.cpu <= other.cpu
            and self.memory <= other.memory
            and self.nodes <= other.nodes
            and self.most == other.most
            and self.per_node == other.per_node
            and self.gres == other.gres
            and self.only == other.only
            and self.without == other.without
            and self.overlap == other.overlap
            and (not other.limit or 0 < self.limit <= other.limit)
        )


class Part(NamedTuple):
    """Record of what a step holds on one node."""

    node: str
    tasks: int
    cpu: int = 0  # thousandths, of all its tasks there
    memory: int = 0  # bytes
    gres: tuple[tuple[str, tuple[int, ...]], ...] = ()  # name or name:type -> slot numbers
    shared: bool = False  # the slots are used beside others, not held
