"""The commands: each parses, makes one call to the gateway, and renders the answer."""
