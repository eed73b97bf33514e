"""Questions about the past wait for the recorder by an event, and only where one runs."""

import pytest

from crane_celery.service.query.filing import Filing
from crane_celery.store.memory import MemoryStore


class Told(MemoryStore):
    """Notes what is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def passed(self, consumer: str, seq: str, block_s: float) -> bool:
        """Not yet."""
        self.waits += [seq] if consumer == "recorder" and block_s > 0 else []
        return False


@pytest.mark.parametrize(("cursor", "awaited"), [("", False), ("0-0", False), ("5-0", True), ("9-1", False)])
def test_one_that_is_behind_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, cursor: str, awaited: bool) -> None:
    store = Told()
    monkeypatch.setattr(store, "last_event", lambda: "9-1")
    if cursor:
        store.set_cursor("recorder", cursor)
    Filing(store).wait()
    assert store.waits == ["9-1"] * awaited
