"""One table of what a job is asked for, and of what is known of it. Everything that speaks of job options reads it.

The parsers of ``cbatch`` and of directives in each front end's names, what the gateway understands, what may be changed
later, filters, columns, ``ccontrol update``, ``--json`` and docs/commands. A new option is a row here, and the place
that acts on it; a new front end is one more set of names. ``options`` are the rows that a command needs at once to
parse, ``table`` is the whole.
"""
