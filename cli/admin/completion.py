"""``crane completion bash``: what a shell needs to complete the commands' options."""

from __future__ import annotations

from cli._options import Parser
from cli._render import print_lines
from crane_celery.errors import NotSupported


def completion(argv: list[str]) -> int:
    """Print the completion of a shell. Raises NotSupported for another one than bash."""
    parser = Parser(
        "crane completion",
        "Print what a shell needs to complete the commands' options.",
        epilog="examples:\n  source <(crane completion bash)\n",
    )
    parser.add_argument("shell", metavar="SHELL", help="bash")
    shell = parser.parse(argv).shell
    if shell != "bash":
        raise NotSupported(f"no completion for {shell[:60]!r}: there is bash")
    from cli._manual import bash

    print_lines([bash().rstrip("\n")])
    return 0
