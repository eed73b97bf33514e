"""Where concrete parts meet: settings in, store, history and service out. Nothing else picks an implementation."""

from crane_celery.settings import Settings
from crane_celery.store.api import Store


def open_store(settings: Settings) -> Store:
    """The Redis store of the configured cluster. Raises Unreachable only when it is first used."""
    from crane_celery.store.redis import RedisStore

    return RedisStore(settings.server_url, settings.prefix)
