"""The command lines of a cluster's processes: the one place that has them (docs/architecture.md, Processes)."""

from collections.abc import Mapping
from typing import NamedTuple

from crane_celery.isolated import command, without_python
from crane_celery.settings import Settings

#: marks every daemon of a cluster in its environment, and no job
MARK = "CRANE_DAEMON"
SERVER = "server"
_CELERY = command("crane_celery.daemon", "celery", "-A", "crane_celery.celery_app")
#: what a shell inside a job has set, and a daemon must not take for its own
_JOB_VARIABLES = ("CRANE_SOCKET", "CRANE_SHEPHERD", "CRANE_NODE")


class Role(NamedTuple):
    """One process to keep alive."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]


def node_argv(node: str) -> tuple[str, ...]:
    """The Celery worker of a node: one process, its own queue, none of the chatter between workers."""
    # Flower hears of nodes from its bridge: the worker's own monitoring events would contradict it
    quiet = ("--without-mingle", "--without-gossip", "--without-heartbeat", "-l", "warning")
    return (
        *_CELERY,
        "worker",
        "-Q",
        f"node.{node}",
        "-n",
        f"crane@{node}",
        "-P",
        "solo",
        *quiet,
        "-I",
        "workers.tasks",
    )


def scheduler_argv() -> tuple[str, ...]:
    """Celery beat with our scheduler inside."""
    return (*_CELERY, "beat", "-S", "beat.host:CraneScheduler", "-l", "warning", "--pidfile=")


def flower_argv(address: str, port: int) -> tuple[str, ...]:
    """Flower, for browsers on ``address``."""
    columns = "--tasks-columns=uuid,name,state,args,kwargs,result,runtime,worker,received,started,exception"
    return (*_CELERY, "flower", f"--address={address}", f"--port={port}", columns)


def bridge_argv() -> tuple[str, ...]:
    """Return what tells Flower of nodes and steps."""
    return command("crane_celery.flower_bridge")


def crane_argv(role: str) -> tuple[str, ...]:
    """A role that is a sub-command of ``crane``."""
    return command("cli.crane", role)


def environment(settings: Settings, base: Mapping[str, str]) -> dict[str, str]:
    """Return what every daemon has in its environment: which cluster it belongs to, and nothing of a job or for
    Python."""
    kept = {name: value for name, value in without_python(base).items() if name not in _JOB_VARIABLES}
    return {**kept, "CRANE_HOME": settings.home, "CRANE_CONFIG": settings.path, MARK: settings.home}


def node_role(settings: Settings, node: str, base: Mapping[str, str]) -> Role:
    """The worker of one node."""
    return Role(f"node.{node}", node_argv(node), {**environment(settings, base), "CRANE_NODE": node})


def roles(settings: Settings, base: Mapping[str, str], server: list[str]) -> list[Role]:
    """All processes of the cluster on this host, the server first if there is one of ours."""
    env = environment(settings, base)
    found = [Role(SERVER, tuple(server), env)] if server else []
    names = ["scheduler", *(f"scheduler.{number}" for number in range(2, settings.schedulers + 1))]
    found += [Role(name, scheduler_argv(), env) for name in names]
    found += [node_role(settings, node, base) for node in settings.nodes]
    return [*found, *(Role(name, crane_argv(name), env) for name in ("gateway", "recorder"))]
