"""The run directory of a node, which holds its sockets and may be lost at any moment."""

import os

from crane_celery import trust


def prepare(path: str) -> None:
    """Make a node's run directory and the one above where they are missing. Raises Untrusted, OSError."""
    os.makedirs(os.path.dirname(os.path.dirname(path)), exist_ok=True)
    trust.make_directory(os.path.dirname(path))
    trust.make_directory(path)
