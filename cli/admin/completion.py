"""``crane completion SHELL``: what a shell reads to complete the commands."""

from __future__ import annotations

import os

from cli.common.options import Parser
from cli.completion.complete import SHELLS, script
from cli.output.render import print_lines


def completion(argv: list[str]) -> int:
    """Print the completion of a shell. Raises InputError for one that there is none for."""
    parser = Parser(
        "crane completion",
        "Print what a shell needs to complete the commands: options, states, ids, nodes, partitions, actions. The wheel"
        " installs the same into the folders where shells look for it.",
        epilog="examples:\n  source <(crane completion bash)\n  source <(crane completion zsh)\n"
        "  crane completion fish | source\n",
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    print_lines([script(parser.parse(argv).shell, completed()).rstrip("\n")])
    return 0


def completed() -> list[str]:
    """Return the names of all commands."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return sorted(name[:-3] for name in os.listdir(folder) if name.startswith("c") and name.endswith(".py"))
