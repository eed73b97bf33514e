"""Keeps the daemons of one cluster on one host alive, and takes all of them down again. Standard library only."""
