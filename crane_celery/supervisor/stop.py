"""Taking a cluster down on this host, whoever is left of it: the same for the supervisor's own end and after its crash.

Order: first the schedulers, so that nothing new starts; then the workers, since the shepherds must hear us in their
place; then the shepherds end what runs (its end is journalled, and reported by the next worker); then the gateway and
the recorder; the server last, so that all of them could still write; then whatever no record named.
Every wait has its own limit, and all of them together stay under 10 s. Idempotent.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable

from crane_celery.isolated import command
from crane_celery.settings import Settings
from crane_celery.supervisor import pidfiles, shepherds
from crane_celery.supervisor.processes import Record, end, everybody, record_of, send, wait_gone
from crane_celery.supervisor.roles import MARK, SERVER

#: the longest each part may take, seconds
_SCHEDULERS_S = 1.0
_SHEPHERDS_S = 3.0
_WORKERS_S = 1.5
_OTHERS_S = 1.0
_SERVER_S = 2.0
_GROUPS_S = 5.0


def everything(settings: Settings) -> None:
    """Stop all roles, shepherds, spawners and steps of this cluster on this host, then what is left of any."""
    found = pidfiles.read(settings.run_dir)
    end(_named(found, "scheduler"), _SCHEDULERS_S)
    end(_named(found, "node."), _WORKERS_S)
    shepherds.stop([settings.node_run_dir(name) for name in _node_names(settings)], _SHEPHERDS_S)
    end([record for name, record in found.items() if name in ("gateway", "recorder")], _OTHERS_S)
    end(_named(found, SERVER), _SERVER_S)
    sweep(settings)
    remove_groups(settings)
    tidy(settings)


def daemons(settings: Settings) -> None:
    """Stop the recorded roles only: shepherds and steps run on, and are found again by new workers."""
    found = pidfiles.read(settings.run_dir)
    end({record for name, record in found.items() if name != SERVER}, _WORKERS_S)
    end(_named(found, SERVER), _SERVER_S)
    end([record for record in strays(settings) if not _is_shepherd(_words(record.pid, "cmdline"))], _WORKERS_S)


def sweep(settings: Settings) -> None:
    """Kill every process that carries this cluster's mark: what no record names."""
    left = strays(settings)
    for record in left:
        send(record, signal.SIGKILL)
    wait_gone(left, 1.0)


def strays(settings: Settings) -> list[Record]:
    """Daemons of this cluster, found by the mark in their environment or by our directories in their arguments.

    A shepherd has an environment of its own, and a spawner (a fork of one) is not dumpable: both have the node's run
    directory in their arguments, which everybody may read.
    """
    mark = os.fsencode(f"{MARK}={settings.home}")
    found = []
    for pid in everybody():
        argv = _words(pid, "cmdline")
        ours = mark in _words(pid, "environ") or (_is_shepherd(argv) and _names_node_of(settings.run_dir, argv))
        if ours and pid != os.getpid() and (record := record_of(pid)):
            found.append(record)
    return found


def _is_shepherd(argv: list[bytes]) -> bool:
    """Whether these are the arguments of a shepherd, or of a spawner, which is a fork of one."""
    return any(b"workers.shepherd" in word for word in argv)


def _names_node_of(run_dir: str, argv: list[bytes]) -> bool:
    return any(os.fsencode(f"{run_dir}/node.") in word for word in argv)


def _words(pid: int, name: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def remove_groups(settings: Settings) -> None:
    """Kill and remove what is left in the cgroups of this cluster's nodes. The drivers are the nodes' business: asked
    by their own program, since the core imports no edge."""
    argv = command("workers.cgroup", "remove", settings.group_root, settings.cgroup, *_node_names(settings))
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(argv, timeout=_GROUPS_S, check=False, stdin=subprocess.DEVNULL)


def tidy(settings: Settings) -> None:
    """Remove the sockets and the run directory with its link."""
    shutil.rmtree(settings.run_dir, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(settings.home, "run"))


def _named(found: dict[str, Record], prefix: str) -> list[Record]:
    return [record for name, record in found.items() if name.startswith(prefix)]


def _node_names(settings: Settings) -> Iterable[str]:
    """Nodes that have a run directory here: also one that the configuration no longer names."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(name[5:] for name in os.listdir(settings.run_dir) if name.startswith("node."))
    return []
