"""Pages made from the parsers: docs/commands, and manual pages for man(1)."""
