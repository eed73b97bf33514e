"""Replaying a recorded workload through the scheduler in simulated time. Pure: no IO, no clock."""
