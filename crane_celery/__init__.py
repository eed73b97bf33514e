"""The core of crane-celery: a workload manager whose engine is Celery on Redis (see docs/architecture.md)."""
