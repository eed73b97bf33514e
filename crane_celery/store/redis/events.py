"""The stream of events on a server. See store.api.events."""

from __future__ import annotations

from crane_celery.model.event import Event, Position
from crane_celery.store import script_args
from crane_celery.store.link import LONGEST_WAIT_S
from crane_celery.store.redis.part import Part


class RedisEvents(Part):
    """store.api.EventLog."""

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Events after an entry; ``limit`` counts entries, and the events of one entry come together. See store.api."""
        block = min(block_s, LONGEST_WAIT_S)
        wait = ("BLOCK", max(1, int(block * 1000))) if block > 0 else ()
        answer = self.link.wait(block, "XREAD", "COUNT", limit, *wait, "STREAMS", self.keys.one("events"), after)
        return script_args.events(answer[0][1]) if answer else []

    def last_event(self) -> str:
        """Id of the newest entry."""
        return self._edge("XREVRANGE", "+", "-")

    def first_event(self) -> str:
        """Id of the oldest entry kept."""
        return self._edge("XRANGE", "-", "+")

    def _edge(self, command: str, start: str, stop: str) -> str:
        found = self.link.do(command, self.keys.one("events"), start, stop, "COUNT", 1)
        return found[0][0].decode() if found else "0"

    def cursor(self, consumer: str) -> str:
        """Return where a named consumer stands."""
        return (self.link.do("HGET", self.keys.one("cursors"), consumer) or b"0").decode()

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on; never back."""
        self.link.run("set_cursor", consumer, seq)

    def passed(self, consumer: str, seq: str, block_s: float) -> bool:
        """Wait until a consumer has passed an entry. See store.api."""
        wanted = Position.parse(seq)
        if Position.parse(self.cursor(consumer)) >= wanted:
            return True
        block = min(block_s, LONGEST_WAIT_S)
        if block <= 0:
            return False
        wait = ("BLOCK", max(1, int(block * 1000)))
        key, before = self.keys.of("passed", consumer), wanted.before.text
        return bool(self.link.wait(block, "XREAD", "COUNT", 1, *wait, "STREAMS", key, before))

    def trim(self) -> int:
        """Drop entries that every named consumer has passed. See store.api."""
        count: int = self.link.run("trim")
        return count
