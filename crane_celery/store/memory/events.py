"""The stream of events in memory. See store.api.events."""

from __future__ import annotations

from crane_celery.model.event import Event, Position
from crane_celery.store.memory.part import Part


class MemoryEvents(Part):
    """store.api.EventLog."""

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Events after an entry; ``limit`` counts entries. See store.api."""
        with self.log.grown:
            start = Position.parse(self.log.last_event() if after == "$" else after)
            self.log.grown.wait_for(lambda: Position.parse(self.log.last_event()) > start, block_s)
            found = [event for event in self.log.entries if Position.parse(event.seq) > start]
            entries = list(dict.fromkeys(event.seq for event in found))[:limit]
            return [event for event in found if event.seq in entries]

    def last_event(self) -> str:
        """Id of the newest entry."""
        return self.log.last_event()

    def first_event(self) -> str:
        """Id of the oldest entry kept."""
        return self.log.entries[0].seq if self.log.entries else "0"

    def cursor(self, consumer: str) -> str:
        """Return where a named consumer stands."""
        return self.log.cursor(consumer)

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on; never back."""
        with self.log.lock:
            if Position.parse(seq) > Position.parse(self.log.cursor(consumer)) or consumer not in self.log.cursors:
                self.log.cursors[consumer] = seq
                self.log.grown.notify_all()

    def passed(self, consumer: str, seq: str, block_s: float) -> bool:
        """Wait until a consumer has passed an entry. See store.api."""
        wanted = Position.parse(seq)
        with self.log.grown:
            return self.log.grown.wait_for(lambda: Position.parse(self.log.cursor(consumer)) >= wanted, block_s)

    def trim(self) -> int:
        """Drop entries that every named consumer has passed. See store.api."""
        with self.log.lock:
            if not self.log.entries or not {"recorder", "leader"} <= self.log.cursors.keys():
                return 0
            seqs = *self.log.cursors.values(), self.log.last_event()
            lowest = min(Position.parse(seq) for seq in seqs)
            kept = [event for event in self.log.entries if Position.parse(event.seq) >= lowest]
            gone = len({event.seq for event in self.log.entries}) - len({event.seq for event in kept})
            self.log.entries = kept
            return gone
