"""Define what every command talks to: a Unix socket whose other end the kernel names (see docs/architecture.md)."""
