"""Shared by the processes of a node. Standard library only."""
