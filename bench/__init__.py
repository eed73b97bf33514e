"""Measurements: never asserted in tests, always printed beside peers of the same run."""
