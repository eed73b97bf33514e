"""Fuzzing of every decoder that a user, a node or the server can reach (CONTRIBUTING.md, Fuzzing)."""
