"""Submissions: read, checked, understood and stored."""
