"""Define what runs on a node: the Celery worker's part (tasks, bootsteps, agent) and what outlives it (shepherd,
spawners)."""
