"""Shared by submit, control and query: who asks, which jobs an id names, dependencies, host lists, time zones."""
