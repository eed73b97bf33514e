"""Define what of a run directory is lost, and made again: a cleaner of /tmp may take all of it, or single sockets.

The gateways and shepherds make their own sockets again (gateway.server, workers.shepherd.listener).
"""

import os
from collections.abc import Iterable

from crane_celery.settings import Settings, prepare_run_dir
from crane_celery.supervisor import pidfiles
from crane_celery.supervisor.redis_server import socket_of


def mend(settings: Settings, running: Iterable[str]) -> list[str]:
    """Make the run directory and its link where they are missing; return the running roles that have no pid file.

    Raises Untrusted where somebody else has made the directory meanwhile, OSError.
    """
    prepare_run_dir(settings.home, settings.run_dir)
    if settings.embedded:
        os.makedirs(os.path.dirname(socket_of(settings)), mode=0o700, exist_ok=True)
    folder = pidfiles.folder(settings.run_dir)
    return [role for role in running if not os.path.lexists(os.path.join(folder, role))]


def has_socket(settings: Settings) -> bool:
    """Return whether the embedded server's socket is where it should be."""
    return os.path.lexists(socket_of(settings))
