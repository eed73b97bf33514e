"""Scheduling as a function of a view: ``schedule(view, now, config) -> Plan``. Pure: no IO, no clock."""
