"""Files what the event stream tells in the SQL history (published early; body follows)."""

from crane_celery.settings import Settings


def run(settings: Settings) -> None:
    """Record until SIGTERM or SIGINT. Two at once are harmless: each batch is filed by exactly one of them."""
