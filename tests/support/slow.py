"""Which commands kept a server busy for so long that others noticed, by its own clock, less what it only waited."""

from __future__ import annotations

from pathlib import Path

from crane_celery.store.redis import RedisStore
from tests.support.server import Server

#: what blocks the server for so long is a fault
SLOW_US = 50_000


class Slow:
    """Record of what SLOWLOG tells of the calls since the last look, less the time for which other processes had
    the processor.

    SLOWLOG counts by the clock on the wall: on a busy machine an entry may be the wait for a processor and no work.
    """

    def __init__(self, server: Server, store: RedisStore, slow_us: int = SLOW_US) -> None:
        """Empties the server's log and has it note what takes ``slow_us`` or more."""
        self._file, self._link, self._slow_us = Path(f"/proc/{server.pid}/schedstat"), store.link, slow_us
        self._link.do("CONFIG", "SET", "slowlog-log-slower-than", slow_us)
        self._link.do("SLOWLOG", "RESET")
        self._waited = self._waiting()
        #: (microseconds, start of the command) of each entry that is left at ``slow_us`` or more
        self.found: list[tuple[float, str]] = []

    @property
    def worked_s(self) -> float:
        """Seconds of a processor that the server's main thread has had."""
        return int(self._file.read_text().split()[0]) / 1e9

    def _waiting(self) -> float:
        """Microseconds that the server was ready to run and did not."""
        return int(self._file.read_text().split()[1]) / 1000

    def look(self) -> None:
        """Take in the entries of what was called since the last look."""
        entries, before = self._link.do("SLOWLOG", "GET", "-1"), self._waited
        self._waited = self._waiting()
        left = [(entry[2] - (self._waited - before), str(entry[3])[:200]) for entry in entries]
        self.found += [each for each in left if each[0] >= self._slow_us]
        if entries:
            self._link.do("SLOWLOG", "RESET")
