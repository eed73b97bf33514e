"""Output of the commands: tables, columns, records as text and as JSON."""
