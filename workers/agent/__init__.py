"""Run in the node's Celery worker, as the daemons' user: launches in, reports out, heartbeats."""
