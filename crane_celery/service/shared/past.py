"""Arrays that have left the store, looked up in the history."""

from crane_celery.history.api import History


class FiledArrays:
    """Implements ``resolve.Past`` over the history; without one nothing is known."""

    def __init__(self, history: History | None) -> None:
        """Keep the history."""
        self._history = history

    def array_of(self, job: int) -> str:
        """Return the index text of a submission that left the store; "" for a plain job or when unknown."""
        row = self._history.submission(job) if self._history else None
        return str(row["array"]) if row and row["job"] == job else ""
