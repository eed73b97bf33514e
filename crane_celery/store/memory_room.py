"""Memory left to the server: submissions end before it is full, so that the last of it is there for what runs.

Where the server has a ``maxmemory``, what is left of that counts; otherwise what its host has available, or, seen from
another host, what the server's own process leaves of that host's memory. Asked at most once in ASK_S.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from crane_celery.errors import MemoryFull
from crane_celery.grammar.memory import format_size
from crane_celery.store.link import Link

#: seconds for which an answer of the server holds
ASK_S = 1.0


class MemoryRoom:
    """The memory left to one server, and how much of it is reserved for running work."""

    def __init__(
        self, link: Link, reserved: int, *, local: bool, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """``reserved``: bytes that submissions must leave; 0 = none. ``local``: the server is on this host."""
        self._link = link
        self._reserved = reserved
        self._local = local
        self._monotonic = monotonic
        self._asked_at = -ASK_S
        self._left = 0

    def guard(self) -> None:
        """Raise MemoryFull before a submission when less is left than is reserved. Raises Unreachable."""
        if not self._reserved:
            return
        now = self._monotonic()
        if now >= self._asked_at + ASK_S:
            self._left, self._asked_at = self.left(), now
        if self._left < self._reserved:
            raise MemoryFull(
                f"the server at {self._link.address} has {format_size(self._left)} of memory left, and"
                f" {format_size(self._reserved)} are reserved for what runs: wait until jobs have ended, cancel pending"
                " ones, give the server more memory (maxmemory), or lower MinFreeMemory"
            )

    def left(self) -> int:
        """Return the bytes that the server may still take. Raises Unreachable."""
        info = self._link.do("INFO", "memory")
        used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
        if most:
            return max(0, most - used)
        if self._local and (available := _available()) is not None:
            return available
        return max(0, int(info.get("total_system_memory", 1 << 62)) - used)


def _available() -> int | None:
    """Return what this host has available (MemAvailable), None where the kernel does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = re.search(r"^MemAvailable:\s+(\d+) kB", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) << 10 if found else None
