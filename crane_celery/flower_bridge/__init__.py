"""Define what makes Flower show the cluster: the event stream, told again as Celery's own monitoring events.

A node is a worker (``crane@<node>``, the name of the real one), a step is a task. Nothing is added to the path of a
job: the bridge reads what is written anyway, and Flower runs unmodified.
"""
