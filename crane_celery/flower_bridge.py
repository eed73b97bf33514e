"""The bridge to Flower (published early; body follows): run as ``python -m crane_celery.flower_bridge``."""

from crane_celery.settings import Settings


def run(settings: Settings) -> None:
    """Publish Celery events for what happens from now on, until SIGTERM or SIGINT. Blocks."""
