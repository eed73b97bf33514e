"""Run as the shepherd, one on a node, as the daemons' user: runs, their journal, limits and steps."""
