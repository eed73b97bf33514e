"""Commands that are announced and not there yet: they have help, and say so when they are used."""

from __future__ import annotations

from cli.common.main import run
from cli.common.options import Parser
from crane_celery.errors import NotSupported


def later(prog: str, what: str, argv: list[str] | None) -> int:
    """``--help`` and ``--version`` work; everything else is NotSupported (exit 1)."""

    def body(words: list[str]) -> int:
        parser = Parser(prog, f"{what}\n\nNot supported yet: use cbatch, and crun in its script.")
        if words[:1] and words[0] in ("-h", "--help", "-v", "--version"):
            parser.parse(words)
        raise NotSupported(f"{prog} is not supported yet: use cbatch, and crun in its script")

    return run(prog, body, argv)
