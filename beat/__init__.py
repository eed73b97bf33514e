"""The scheduler process: Celery beat hosts it, the leader loop drives the pure core, messages go out."""
