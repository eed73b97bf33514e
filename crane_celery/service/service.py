"""The service: the use cases of one cluster in three faces, for the gateway's handlers and for tests."""

from crane_celery.history.api import History
from crane_celery.history.rows import Row
from crane_celery.service.controls import Controls
from crane_celery.service.queries import Queries
from crane_celery.service.query.forecast import Outlook
from crane_celery.service.query.queue import Queue
from crane_celery.service.shared.caller import Caller, is_operator
from crane_celery.service.shared.past import FiledArrays
from crane_celery.service.submissions import Submissions
from crane_celery.settings import Settings
from crane_celery.store.api import Store


class Service:
    """The use cases of one cluster: ``submit``, ``control`` and ``query``. Thread-safe as its store is."""

    def __init__(self, store: Store, settings: Settings, history: History | None = None) -> None:
        """Without a history, questions about the past are answered from what lives."""
        self.store = store
        self.settings = settings
        self.past = FiledArrays(history)
        queue = Queue(store)
        outlook = Outlook(queue.live, store, settings)
        self.submit = Submissions(store, settings, self.past, queue.live, outlook.with_job)
        self.control = Controls(store, settings, self.past, queue, self.submit.resolve)
        self.query = Queries(store, settings, history, self.past, queue, outlook)

    def operator(self, caller: Caller) -> bool:
        """Return whether the caller may act on everybody's jobs."""
        return is_operator(caller, self.settings.operators)

    def ping(self, caller: Caller) -> Row:
        """Return who and what answers."""
        return {
            "version": _version(),
            "cluster": self.settings.cluster,
            "now": self.store.now(),
            "user": caller.user,
            "round_trip_s": self.store.ping(),
        }


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("crane-celery")
    except PackageNotFoundError:
        return "0"
