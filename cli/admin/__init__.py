"""The sub-commands of ``crane``: each parses, asks the core, and prints."""
