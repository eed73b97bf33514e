"""Life of jobs, runs and steps as tables and pure functions."""
