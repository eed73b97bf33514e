"""The use cases behind every command and the Python API, over the store's verbs."""

from crane_celery.service.service import Service

__all__ = ["Service"]
