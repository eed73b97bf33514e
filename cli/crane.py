"""``crane``: administration of a cluster. Each sub-command is a module of cli.admin."""

from __future__ import annotations

import sys
from importlib import import_module

from cli.common.main import run, say
from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: sub-command -> (module of cli.admin, one line for the help)
COMMANDS = {
    "up": ("up", "start a cluster on this host"),
    "down": ("down", "stop all of it"),
    "status": ("status", "what runs, and since when"),
    "doctor": ("doctor", "what this host offers, and how to mend what it lacks"),
    "quarantine": ("quarantine", "what daemons could not process and have set aside: list, retry, drop"),
    "config": ("config", "the configuration in effect, and where each value comes from"),
    "keys": ("keys", "make the key pair that launches are signed and checked with"),
    "simulate": ("simulate", "replay a recorded workload through the scheduler, in simulated time"),
    "completion": ("completion", "what a shell needs to complete the commands"),
    "node": ("roles", "run a node of a cluster in the foreground"),
    "scheduler": ("roles", "run a scheduler in the foreground; one leads, others stand by"),
    "gateway": ("roles", "run a gateway in the foreground"),
    "recorder": ("roles", "run the recorder in the foreground"),
    "flower": ("roles", "run Flower, fed by the cluster's events, in the foreground"),
}


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command; its exit code."""
    return run("crane", body, argv)


def body(argv: list[str]) -> int:
    """Choose the sub-command. Raises InputError for an unknown one."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        say(*usage().split("\n"))
        return 0 if argv else InputError.status
    if argv[0] in ("-v", "--version"):
        from cli.common.options import Parser

        Parser("crane", "").parse(argv[:1])
    name = argv[0]
    if name not in COMMANDS:
        from crane_celery.grammar.names import did_you_mean

        raise InputError(f"unknown command {name!r}{did_you_mean(name, COMMANDS)}")
    command: Callable[[list[str]], int] = getattr(import_module(f"cli.admin.{COMMANDS[name][0]}"), name)
    return command(argv[1:])


def usage() -> str:
    """Return what ``crane --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {what}" for name, (_, what) in COMMANDS.items()]
    first = "usage: crane COMMAND [options]\n\nAdministration of a cluster; $CRANE_HOME chooses which.\n"
    return "\n".join([first, *lines, "", "'crane COMMAND --help' says more."])


if __name__ == "__main__":
    sys.exit(main())
