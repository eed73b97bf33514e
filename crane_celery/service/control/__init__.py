"""Define what is done to jobs and nodes that are there: hold, change, suspend, requeue, cancel, drain."""
