"""Define what crosses from one process to another: launch messages and their signatures, connections on a node."""
