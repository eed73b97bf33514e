"""The stream of events and where its consumers stand."""

from __future__ import annotations

from typing import Protocol

from crane_celery.model.event import Event


class EventLog(Protocol):
    """The stream of transitions."""

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Entries after ``after`` ("$" = from now on, "0" = from the oldest kept), waiting up to ``block_s``."""

    def last_event(self) -> str:
        """Id of the newest entry ("0" when there is none)."""

    def first_event(self) -> str:
        """Id of the oldest entry kept: a cursor below it has a gap."""

    def cursor(self, consumer: str) -> str:
        """Return where a named consumer (recorder, leader) stands; "0" at first."""

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on."""

    def passed(self, consumer: str, seq: str, block_s: float) -> bool:
        """Wait until a consumer has passed an entry, for so many seconds at most; return whether it has."""

    def trim(self) -> int:
        """Drop entries that every named consumer has passed; returns how many."""
