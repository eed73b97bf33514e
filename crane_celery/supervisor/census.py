"""Which processes of this host are a cluster's daemons, and what each is: by all that tells, not by one file.

Pid files name those that the supervisor started; the mark (marks) names every daemon, whatever became of those files;
the mark in the environment finds daemons of an old version. A shepherd, its fork server and spawners are not dumpable,
so only root sees their descriptors: they are known by their arguments, which name the node's run directory.
"""

import contextlib
import json
import os
from typing import Any

from crane_celery.errors import Untrusted
from crane_celery.settings import Settings
from crane_celery.supervisor import marks, pidfiles
from crane_celery.supervisor.processes import Record, everybody, record_of
from crane_celery.supervisor.roles import MARK

#: what the command lines of shepherds and fork servers run, and those of older versions
_FAMILY = tuple(
    b"from workers.%s import main;" % module for module in (b"shepherd.loop", b"spawner.fork_server", b"shepherd")
)


def take(settings: Settings) -> dict[Record, str]:
    """Return the role of each living daemon other than ourselves; "?" where only the environment tells.

    Pid files in a directory that is not ours alone are not read (`pidfiles.read` raises for them).
    """
    found = _by_words(settings) | marks.found(settings.home)
    with contextlib.suppress(Untrusted):
        found |= {record: role for role, record in pidfiles.read(settings.run_dir).items()}
    return {record: role for record, role in found.items() if record.pid != os.getpid()}


def of(found: dict[Record, str], *prefixes: str) -> list[Record]:
    """Return those whose role begins with one of these."""
    return [record for record, role in found.items() if role.startswith(prefixes)]


def _by_words(settings: Settings) -> dict[Record, str]:
    variable = os.fsencode(f"{MARK}={settings.home}")
    roles = {}
    for pid in everybody():
        record = record_of(pid)
        if record is None:
            continue
        run = str((shepherd_config(pid) or {}).get("run", ""))
        if run.startswith(f"{settings.run_dir}/node."):
            roles[record] = marks.SHEPHERD + run.removeprefix(f"{settings.run_dir}/node.")
        elif variable in _words(pid, "environ"):
            roles[record] = "?"
    return roles


def shepherd_config(pid: int) -> dict[str, Any] | None:
    """Return what a shepherd was started with (its fork server and spawners have the same), None for others."""
    argv = _words(pid, "cmdline")
    if len(argv) < 7 or argv[3] != b"-c" or not any(each in argv[4] for each in _FAMILY):
        return None
    try:
        found = json.loads(argv[6])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _words(pid: int, name: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
