"""Taking a cluster down on this host, whoever is left of it: the same for the supervisor's own end and after its crash.

Order: first the schedulers, so that nothing new starts; then the workers, since the shepherds must hear us in their
place; then the shepherds end what runs (its end is journalled, and reported by the next worker); then the gateways, the
recorder and Flower; the server last, so that all of them could still write; then whatever is left.
Every wait has its own limit, and all of them together stay under 10 s. Idempotent. Nothing is signalled by its pid
alone (processes), and a run directory that is not ours alone is neither read nor removed (trust).
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable

from crane_celery import trust
from crane_celery.errors import Untrusted
from crane_celery.isolated import command
from crane_celery.settings import Settings
from crane_celery.supervisor import census, marks, shepherds
from crane_celery.supervisor.processes import Record, end, send, wait_gone
from crane_celery.supervisor.roles import SERVER

#: the longest each part may take, seconds
_SCHEDULERS_S = 1.0
_SHEPHERDS_S = 3.0
_WORKERS_S = 1.5
_OTHERS_S = 1.0
_SERVER_S = 2.0
_GROUPS_S = 5.0
_ROUNDS = 3


def everything(settings: Settings) -> None:
    """Stop all roles, shepherds, spawners and steps of this cluster on this host, then what is left of any."""
    found = census.take(settings)
    end(census.of(found, "scheduler"), _SCHEDULERS_S)
    end(census.of(found, "node."), _WORKERS_S)
    shepherds.stop([settings.node_run_dir(name) for name in _node_names(settings)], _SHEPHERDS_S)
    end(census.of(found, "gateway", "recorder", "flower"), _OTHERS_S)
    end(census.of(found, SERVER), _SERVER_S)
    sweep(settings)
    remove_groups(settings)
    tidy(settings)


def daemons(settings: Settings) -> None:
    """Stop all daemons but the shepherds: they and their steps run on, and are found again by new workers."""
    found = {record: role for record, role in census.take(settings).items() if not role.startswith(marks.SHEPHERD)}
    end([record for record, role in found.items() if role != SERVER], _WORKERS_S)
    end(census.of(found, SERVER), _SERVER_S)


def sweep(settings: Settings) -> None:
    """Kill every daemon of this cluster that is left."""
    left = strays(settings)
    for record in left:
        send(record, signal.SIGKILL)
    wait_gone(left, 1.0)


def strays(settings: Settings) -> list[Record]:
    """Return the daemons of this cluster that live on this host."""
    return list(census.take(settings))


def remove_groups(settings: Settings) -> None:
    """Kill and remove what is left in the cgroups of this cluster's nodes. The drivers are the nodes' business: asked
    by their own program, since the core imports no edge."""
    _remove(settings.group_root, settings.cgroup, _node_names(settings))


def marked(home: str) -> int:
    """Stop what has a mark of a home whose configuration is gone, and what the shepherds' cgroups hold; return how many
    daemons there were."""
    count = 0
    for _ in range(_ROUNDS):  # a worker that is ending may still start a shepherd
        found = marks.found(home)
        count += len(found)
        configs = [
            config for record in census.of(found, marks.SHEPHERD) if (config := census.shepherd_config(record.pid))
        ]
        end([record for record, role in found.items() if not role.startswith((marks.SHEPHERD, SERVER))], _WORKERS_S)
        end(census.of(found, marks.SHEPHERD), _OTHERS_S)
        end(census.of(found, SERVER), _SERVER_S)
        for group, driver, node in {(each["cluster"], each["cgroup"], each["node"]) for each in configs}:
            _remove(group, driver, [node])
    return count


def _remove(group_root: str, driver: str, nodes: Iterable[str]) -> None:
    argv = command("workers.cgroup", "remove", group_root, driver, *nodes)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(argv, timeout=_GROUPS_S, check=False, stdin=subprocess.DEVNULL)


def tidy(settings: Settings) -> None:
    """Remove what daemons make in the run directory, then itself with its link; what else lies there stays."""
    if _is_ours(settings.run_dir):
        for name in os.listdir(settings.run_dir):
            path = os.path.join(settings.run_dir, name)
            if name in ("pids", "server") or name.startswith("node."):
                shutil.rmtree(path, ignore_errors=True)
            elif name == "gateway.sock":
                os.unlink(path)
    for path, remove in ((settings.run_dir, os.rmdir), (os.path.join(settings.home, "run"), os.unlink)):
        with contextlib.suppress(OSError):
            remove(path)


def _is_ours(run_dir: str) -> bool:
    try:
        trust.directory(run_dir)
    except (OSError, Untrusted):
        return False
    return True


def _node_names(settings: Settings) -> Iterable[str]:
    """Nodes that have a run directory here, also one that the configuration no longer names, or a spool."""
    found: set[str] = set()
    if _is_ours(settings.run_dir):
        found |= {name[5:] for name in os.listdir(settings.run_dir) if name.startswith("node.")}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found |= set(os.listdir(os.path.dirname(settings.spool("-"))))
    return sorted(found)
