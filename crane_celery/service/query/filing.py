"""Waiting for the recorder: an end that was reported must be seen in answers from the history too."""

from crane_celery.model.event import Position
from crane_celery.store.api import Store

#: seconds that a question about the past waits for the recorder, which is started again within 5
PATIENCE_S = 8.0


class Filing:
    """The recorder's progress through the event stream."""

    def __init__(self, store: Store) -> None:
        """Keep the store."""
        self._store = store

    def wait(self) -> None:
        """Wait until the recorder has filed what had happened by now.

        Usually it has. One that is being restarted gets ``PATIENCE_S``; where none ever ran, nothing is awaited.
        """
        last = self._store.last_event()
        if (0, 0) < Position.parse(self._store.cursor("recorder")) < Position.parse(last):
            self._store.passed("recorder", last, PATIENCE_S)
