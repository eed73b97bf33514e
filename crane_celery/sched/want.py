"""Define what a request asks of each node, in whole numbers: the part of a job that decides where it fits.

Requests that want the same are one class: the scheduler looks for room once for all of them.
"""

from typing import NamedTuple

from crane_celery.model.job import JobSpec

#: CPUs are counted in thousandths, so that taking and giving back fractions leaves no rounding behind
MILLI = 1000


def milli(cpus: float) -> int:
    """CPUs as thousandths, at least one: a request for less than that still takes something."""
    return max(1, round(cpus * MILLI))


class Want(NamedTuple):
    """Equal wants are interchangeable: what one fits on, the other fits on."""

    partition: str
    nodes: int
    cpu: int  # thousandths of a CPU, on each node
    memory: int  # bytes, on each node
    gres: tuple[tuple[str, int], ...] = ()  # (name or name:type, slots) on each node, typed ones first
    nodelist: frozenset[str] = frozenset()  # only these; empty = any
    exclude: frozenset[str] = frozenset()
    exclusive: bool = False
    limit: int = 0  # seconds that it may run; 0 = for ever
    constraint: str = ""  # features, canonical
    licenses: str = ""  # canonical
    whole_memory: bool = False  # all memory of each node; ``memory`` is the least that it can be
    tmp: int = 0  # bytes of temporary disk that each node is to have

    @property
    def plain(self) -> bool:
        """Return whether CPUs and memory alone decide on a node."""
        return not (
            self.gres
            or self.nodelist
            or self.exclude
            or self.exclusive
            or self.constraint
            or self.tmp
            or self.whole_memory
        )

    def ends_no_later(self, other: "Want") -> bool:
        """Return whether it takes no more time than ``other``."""
        return not other.limit or 0 < self.limit <= other.limit

    def covers(self, other: "Want") -> bool:
        """Return whether this asks for no more than ``other`` in every respect: if this finds no room, nor does the
        other."""
        return (
            self.cpu <= other.cpu
            and self.memory <= other.memory
            and self.nodes <= other.nodes
            and self.tmp <= other.tmp
            and self.partition == other.partition
            and (not self.exclusive or other.exclusive)
            and (not self.whole_memory or other.whole_memory)
            and (not self.gres or self.gres == other.gres)
            and (not self.nodelist or self.nodelist == other.nodelist)
            and (not self.exclude or self.exclude == other.exclude)
            and (not self.constraint or self.constraint == other.constraint)
            and (not self.licenses or self.licenses == other.licenses)
            and self.ends_no_later(other)
        )


def want_of(spec: JobSpec) -> Want:
    """The want of a submission; all its elements share it."""
    gres = sorted(spec.gres.items(), key=lambda item: (":" not in item[0], item[0]))
    return Want(
        spec.partition,
        max(1, spec.nodes),
        milli(spec.cpus_per_node),
        spec.memory,
        tuple((name, count) for name, count in gres if count > 0),
        frozenset(spec.nodelist),
        frozenset(spec.exclude),
        spec.exclusive,
        spec.time_limit or 0,
        spec.constraint,
        spec.licenses,
        spec.whole_memory,
        spec.tmp,
    )
