"""``crane node``, ``gateway``, ``recorder``, ``flower``: one role of a cluster in the foreground.

For hosts beside the one of `crane up`, for containers and for service managers: log lines go to standard error, SIGTERM
ends it. The command lines are those that the supervisor uses.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, NoReturn

from cli.common.options import Parser, number
from crane_celery.errors import ConfigError, InputError, SystemFault
from crane_celery.grammar.names import did_you_mean
from crane_celery.settings import load, prepare_run_dir
from crane_celery.settings.place import usable
from crane_celery.supervisor import marks
from crane_celery.supervisor.parent import end_with
from crane_celery.supervisor.roles import Role, bridge_argv, environment, flower_argv, node_role, scheduler_argv

if TYPE_CHECKING:
    from crane_celery.settings import Settings

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def node(argv: list[str]) -> int:
    """Be a node: this process becomes its Celery worker. Raises ConfigError for one that is not configured or has no
    key."""
    parser = _parser("node", "Run a node of the cluster in the foreground; the configuration names the server.")
    parser.add_argument("--name", metavar="NAME", help="the node's name in the configuration (this host's name)")
    asked = parser.parse(argv)
    settings = load()
    name = asked.name or os.uname().nodename.partition(".")[0]
    if name not in settings.nodes:
        raise ConfigError(
            f"{settings.path}: no node {name!r} is defined{did_you_mean(name, settings.nodes)}; --name NAME"
        )
    if settings.signing:
        from crane_celery.wire.signing import Verifier

        Verifier.load(settings.public_key)
    _settings(f"node.{name}")
    _become(node_role(settings, name, os.environ))


def scheduler(argv: list[str]) -> int:
    """Be a scheduler: this process becomes Celery beat with ours inside. Several may run; one leads."""
    _parser("scheduler", "Run a scheduler in the foreground; one leads, others stand by.").parse(argv)
    settings = _settings("scheduler")
    if settings.signing:
        from crane_celery.wire.signing import Signer

        Signer.load(settings.private_key)
    _become(Role("scheduler", scheduler_argv(), environment(settings, os.environ)))


def gateway(argv: list[str]) -> int:
    """Be a gateway until SIGTERM."""
    parser = _parser("gateway", "Run a gateway for the commands of this host's users.")
    parser.add_argument("--node", metavar="NAME", help="the one for jobs of this node instead (its worker starts it)")
    parser.add_argument("--parent", type=number, metavar="PID", help="end with this process")
    asked = parser.parse(argv)
    settings = _settings(f"gateway.{asked.node}" if asked.node else "gateway")
    if asked.node and asked.node not in settings.nodes:
        raise ConfigError(
            f"{settings.path}: no node {asked.node!r} is defined{did_you_mean(asked.node, settings.nodes)}"
        )
    if asked.parent:
        end_with(asked.parent)
    _log_to_stderr()
    from crane_celery.gateway.server import serve

    serve(settings, asked.node or "")
    return 0


def recorder(argv: list[str]) -> int:
    """Be the recorder until SIGTERM; a second one stands by."""
    _parser("recorder", "File every ended job, run and step in the SQL history.").parse(argv)
    settings = _settings("recorder")
    _log_to_stderr()
    from crane_celery.history.recorder import run

    run(settings)
    return 0


def flower(argv: list[str]) -> int:
    """Be Flower with the bridge that feeds it."""
    parser = _parser("flower", "Show nodes and steps in a browser: Flower, fed from the cluster's events.")
    parser.add_argument("--address", default="127.0.0.1", metavar="ADDRESS", help="where to listen (127.0.0.1)")
    parser.add_argument("--port", type=number, default=5555, metavar="PORT", help="(5555)")
    asked = parser.parse(argv)
    settings = _settings("flower")
    _check_flower(asked.address, asked.port)
    env = environment(settings, os.environ)
    return _side_by_side([bridge_argv(), flower_argv(asked.address, asked.port)], env)


def _check_flower(address: str, port: int) -> None:
    """Raise SystemFault where Flower is not installed, or cannot listen there."""
    if importlib.util.find_spec("flower") is None:
        raise SystemFault("Flower is not installed: pip install 'crane-celery[flower]'")
    if not 0 < port < 65536:
        raise InputError(f"--port {port}: a port is a number from 1 to 65535")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(place)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", "") or "this is no address"
        raise SystemFault(
            f"Flower cannot listen on {address} port {port}: {why}; choose another --port or --address"
        ) from error


def _side_by_side(commands: list[tuple[str, ...]], env: dict[str, str]) -> int:
    """Run these until one ends or SIGTERM comes, then end the others; the exit code of the first to end."""
    children = [subprocess.Popen(argv, env=env, pass_fds=[marks.FD]) for argv in commands]

    def end(*_signal: object) -> None:
        for child in children:
            child.terminate()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    first, status = os.wait()
    end()
    for child in children:
        if child.pid != first:
            child.wait()
    code = os.waitstatus_to_exitcode(status)
    return 0 if code == -signal.SIGTERM else abs(code)


def _parser(name: str, what: str) -> Parser:
    return Parser(f"crane {name}", what)


def _settings(role: str) -> Settings:
    """The settings, with the directories of this host made; this process is marked as that role from now on.

    Raises SystemFault where they cannot be made.
    """
    settings = load()
    usable(settings.home, must_write=False)
    prepare_run_dir(settings.home, settings.run_dir)
    marks.hold(settings.home, role)
    return settings


def _log_to_stderr() -> None:
    import logging

    from crane_celery import log_lines

    log_lines.install()
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)


def _become(role: Role) -> NoReturn:
    os.execve(role.argv[0], role.argv, role.env)
