"""Define where concrete parts meet: settings in; store, history and service out. Nothing else picks an implementation.

Imports stand inside the functions: a node needs no SQL, and a recorder no service.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from crane_celery.settings import Settings
from crane_celery.store.api import Store

if TYPE_CHECKING:
    from crane_celery.history import History
    from crane_celery.service import Service
    from crane_celery.store.memory_room import MemoryRoom
    from crane_celery.store.space import Space


def open_store(settings: Settings, last_id: Callable[[], int] = lambda: 0) -> Store:
    """The Redis store of the configured cluster. Raises Unreachable only when it is first used.

    ``last_id``: the highest id that an empty server may have given out before it lost its data. Who submits needs it.
    """
    from crane_celery.store.redis import RedisStore

    space, memory = open_space(settings), open_memory_room(settings)

    def guard() -> None:
        space.guard()
        memory.guard()

    return RedisStore(settings.server_url, settings.prefix, guard, last_id)


def open_space(settings: Settings) -> "Space":
    """The free space of the server's disk. Raises Unreachable only when it is first used."""
    from crane_celery.store.space import Space

    return Space(settings.server_url, settings.prefix, settings.min_free_bytes)


def open_memory_room(settings: Settings) -> "MemoryRoom":
    """Return the memory left to the server. Raises Unreachable only when it is first used."""
    from crane_celery.store.link import Link
    from crane_celery.store.memory_room import MemoryRoom
    from crane_celery.store.space import is_local

    link = Link(settings.server_url, settings.prefix)
    return MemoryRoom(link, settings.min_free_memory, local=is_local(settings.server_url))


def open_history(settings: Settings) -> "History":
    """The SQL history; its tables are made where they are missing. Raises SystemFault when it cannot be opened."""
    from crane_celery.history import open_history as opened

    return opened(settings.history_url)


def open_service(settings: Settings) -> "Service":
    """The use cases over the cluster's store and history."""
    from crane_celery.service import Service

    history = open_history(settings)
    return Service(open_store(settings, history.last_id), settings, history)
