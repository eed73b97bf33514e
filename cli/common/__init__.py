"""Shared by the commands: parsers, options, errors and exit codes, waiting, watching, what the caller's host adds."""
