"""A daemon that Celery hosts: ``python -m crane_celery.daemon celery -A crane_celery.celery_app beat|worker|flower``.

Celery answers whatever is wrong at a start with tracebacks. So all that a daemon needs is looked at before Celery is
loaded: what is missing is said in one sentence that names the remedy, and the exit status is that of the error. A
server that does not answer is none of it: daemons wait for it.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress

from crane_celery.errors import ConfigError, CraneError, SystemFault
from crane_celery.grammar.printable import visible
from crane_celery.settings import Settings, load, prepare_run_dir
from crane_celery.settings.place import usable
from crane_celery.wire.signing import Signer, Verifier


def main() -> int:
    """Check, then be Celery with the arguments behind the first; the exit status."""
    words = sys.argv[1:]
    try:
        settings = load()
        usable(settings.log_dir, 0o700)
        prepare_run_dir(settings.home, settings.run_dir)
        if "beat" in words:
            check_scheduler(settings)
        if "worker" in words:
            check_node(settings, os.environ.get("CRANE_NODE", ""))
        sys.argv = words
        # nodes of several users are root's: who runs jobs as their users has to be
        warnings.filterwarnings("ignore", "You're running the worker with superuser")
        from celery.__main__ import main as celery

        celery()
    except CraneError as error:
        return failed(error.message, error.status)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return failed(f"{where}{error.strerror or error}", SystemFault.status)
    return 0


def failed(why: str, status: int) -> int:
    """Say in one line why the daemon cannot run, on stderr, which is its log; the status."""
    with suppress(OSError):
        os.write(2, f"error: {visible(why)}\n".encode(errors="backslashreplace"))
    return status


def check_scheduler(settings: Settings) -> None:
    """Raise ConfigError where a scheduler cannot sign or the history's URL is none."""
    if settings.signing:
        Signer.load(settings.private_key)
    from crane_celery.bootstrap import open_history

    open_history(settings).close()


def check_node(settings: Settings, node: str) -> None:
    """Raise ConfigError where this is no node or its key is none, SystemFault where its folders cannot be written."""
    if node not in settings.nodes:
        raise ConfigError(f"CRANE_NODE={node!r} names no node of {settings.path}: set it to one")
    if settings.signing:
        Verifier.load(settings.public_key)
    usable(settings.node_run_dir(node))
    usable(settings.spool(node), 0o711)


if __name__ == "__main__":
    sys.exit(main())
