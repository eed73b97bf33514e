"""``crane up``: make what is missing, start the supervisor, wait until jobs can be accepted."""

from __future__ import annotations

import os
import subprocess
import time

from cli.admin import ready
from cli.admin.keys import make_keys
from cli.admin.sizes import Sizes, configuration
from cli.common.main import say
from cli.common.options import Parser
from cli.common.progress import Progress
from crane_celery import trust
from crane_celery.errors import ConfigError, InputError, Refused, SystemFault
from crane_celery.grammar._lex import quote
from crane_celery.grammar.number import real
from crane_celery.host import look
from crane_celery.isolated import command, without_python
from crane_celery.settings import DRIVERS, Settings, home_of, load, prepare_run_dir
from crane_celery.settings.files import parse
from crane_celery.settings.place import usable
from crane_celery.supervisor import lock, logs
from crane_celery.supervisor.redis_server import explain_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_MAX_NODES = 1000
_LONGEST_S = 86400.0
_LOOK_S = 0.05
_ENDED = ready.Missing("the supervisor has ended", "supervisor")


def up(argv: list[str]) -> int:
    """Start the cluster of ``--home`` (else ``$CRANE_HOME``). Raises Refused, ConfigError, SystemFault."""
    asked = _parser().parse(argv)
    home = os.path.abspath(asked.home) if asked.home else home_of()
    os.environ["CRANE_HOME"] = home
    usable(home)
    trust.directory(home)
    with lock.changing(home):
        if lock.living(home):
            return _already(load(), asked)
        settings = _configured(home, asked)
        make_keys(settings)
        prepare_run_dir(settings.home, settings.run_dir)
        supervisor = _start(settings)
        if not asked.detach:
            _wait(settings, supervisor, asked.timeout)
    _explain(settings, detached=asked.detach)
    return 0


def _parser() -> Parser:
    parser = Parser("crane up", "Start a cluster of virtual nodes on this host; no root needed.")
    parser.add_argument("--nodes", type=_count, metavar="N", help="nodes (1)")
    parser.add_argument(
        "--cpus", type=_count, metavar="C", help="CPUs of each node (this host's, shared out among the nodes)"
    )
    parser.add_argument("--mem", metavar="SIZE", help="memory of each node (this host's without a reserve, shared out)")
    parser.add_argument("--gres", metavar="GRES", help="generic resources of each node, such as gpu:2")
    parser.add_argument("--cgroup", choices=DRIVERS, help="how jobs are held and limited (auto)")
    parser.add_argument("--name", metavar="NAME", help="name of the cluster (crane)")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    parser.add_argument("--detach", action="store_true", help="do not wait until jobs can be accepted")
    parser.add_argument("--timeout", type=_seconds, default=60.0, metavar="SECONDS", help="how long to wait (60)")
    return parser


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    if not 1 <= number <= 2**16:
        raise InputError(f"{text!r} is no whole number from 1 to {2**16}")
    return number


def _seconds(text: str) -> float:
    found = real(text, 0.0, _LONGEST_S)
    if found is None:
        raise InputError(f"--timeout {quote(text)}: write a number of seconds, {_LONGEST_S:.0f} at most")
    return found


def _sizes_given(asked: argparse.Namespace) -> bool:
    return any(
        value is not None for value in (asked.nodes, asked.cpus, asked.mem, asked.gres, asked.cgroup, asked.name)
    )


def _already(settings: Settings, asked: argparse.Namespace) -> int:
    """A cluster of this home runs: that is what was wanted, unless it was to have other sizes."""
    if _sizes_given(asked):
        raise Refused(f"the cluster of {settings.home} is up already: 'crane down' first, then up with other sizes")
    say(f"the cluster of {settings.home} is up already; 'crane status' shows it")
    return 0


def _configured(home: str, asked: argparse.Namespace) -> Settings:
    """The settings: from the file that is there, or from one made (or made anew) from the sizes."""
    path = os.environ.get("CRANE_CONFIG") or os.path.join(home, "config.yaml")
    if os.path.exists(path) and not _sizes_given(asked):
        return load(path)
    if os.path.exists(path) and not _is_ours(path):
        raise ConfigError(f"{path} was written by hand: change the sizes there, and call 'crane up' without them")
    sizes = _sizes(asked)
    sizes.check()
    if sizes.nodes > _MAX_NODES:
        raise InputError(f"--nodes {sizes.nodes}: one host holds {_MAX_NODES} virtual nodes at most")
    text = configuration(asked.name or "crane", sizes, os.geteuid() == 0)
    parse(text, path)  # a size that no node can have leaves the file as it was
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)
    return load(path)


def _sizes(asked: argparse.Namespace) -> Sizes:
    """Return what was asked for; the rest is what this host has, shared out among the nodes."""
    nodes, host = asked.nodes or 1, look().offer
    return Sizes(
        nodes=nodes,
        cpus=asked.cpus or max(1, int(host.cpus) // nodes),
        memory=asked.mem or f"{max(1, host.memory // nodes >> 20)}M",
        gres=asked.gres or "",
        cgroup=asked.cgroup or "auto",
    )


def _is_ours(path: str) -> bool:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.readline().startswith("# Made by 'crane up'")


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    """The supervisor in a session of its own, its output in its log. Logs begin anew: they tell of this start.

    When this returns it holds the home's lock, or is dead.
    """
    usable(settings.log_dir, 0o700)
    logs.turn(settings.log_dir)
    log = logs.open_log(settings.log_dir, "supervisor")
    env = {**without_python(os.environ), "CRANE_HOME": settings.home, "CRANE_CONFIG": settings.path}
    argv = command("crane_celery.supervisor")
    try:
        made = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    except OSError as error:
        raise SystemFault(f"the supervisor cannot be started: {error}") from error
    finally:
        os.close(log)
    while made.poll() is None and not lock.holder(settings.home):
        time.sleep(_LOOK_S)
    return made


def _wait(settings: Settings, supervisor: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Until every part is there. Raises SystemFault naming what is missing and its log."""
    deadline = time.monotonic() + timeout_s
    progress = Progress("starting")
    check = ready.Check(settings)
    try:
        while missing := ([_ENDED] if supervisor.poll() is not None else check.missing()):
            progress.show(check.total - len(missing), check.total)
            _give_up(settings, missing[0], supervisor, time.monotonic() >= deadline)
            time.sleep(_LOOK_S)
        progress.show(check.total, check.total)
    finally:
        progress.close()
        check.close()


def _give_up(settings: Settings, first: ready.Missing, supervisor: subprocess.Popen[bytes], late: bool) -> None:
    """Raise SystemFault when waiting longer is of no use: with the cause, or the end of the log."""
    role = first.role if supervisor.poll() is None else "supervisor"
    log = logs.tail(settings.log_dir, role)
    where = f"(log: {settings.log_dir}/{role}.log)"
    known = explain_failure(log, settings) if role == "server" else ""
    if known:
        raise SystemFault(f"{known} {where}")
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "it is empty")
    _, cannot, why = last.partition("error: ")
    if cannot and last.startswith(("error: ", "crane: error: ")):  # as daemons say why they cannot start
        raise SystemFault(f"{role} cannot start: {why} {where}; 'crane down' stops what runs")
    if late or role == "supervisor":
        raise SystemFault(f"not ready: {first.what}: {last} {where}; 'crane down' stops what runs")


def _explain(settings: Settings, *, detached: bool) -> None:
    cpus = sum(node.cpus for node in settings.nodes.values())
    state = "is starting" if detached else "is up"
    nodes = f"{len(settings.nodes)} node{'s' if len(settings.nodes) != 1 else ''}"
    say(f"cluster {settings.cluster} {state}: {nodes}, {cpus:g} CPU{'s' if cpus != 1 else ''}; {settings.home}")
    if settings.home != os.path.abspath(home_of({k: v for k, v in os.environ.items() if k != "CRANE_HOME"})):
        say(f"  export CRANE_HOME='{settings.home}'")
    say("  cinfo                          what there is")
    say("  cbatch --wrap 'echo hello'     submit a job")
    say("  cqueue; cacct                  what waits and runs; what ran")
    say("  crane down                     stop everything")
