"""What the parsers know, as pages (``make docs`` writes docs/commands) and as words for a shell's completion."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from cli._options import Parser

#: the commands that have a parser of their own to describe
COMMANDS = ("cacct", "cbatch", "ccancel", "ccontrol", "ceff", "cinfo", "cqueue", "crun", "cwait")


def parser_of(command: str) -> Parser:
    """The parser of a command."""
    made: Parser = import_module(f"cli.{command}").parser()
    return made


def page(command: str) -> str:
    """The manual page of a command, in Markdown."""
    made = parser_of(command)
    rows = [f"| {_names(each)} | {_help(each)} |" for each in made.shown]
    usage = made.usage or f"{command} [options]"
    parts = [
        f"# {command}",
        "Made from the command's own parser by `make docs`: do not edit.",
        _plain(made.description or ""),
        f"```\n{usage % {'prog': command} if '%(' in usage else usage}\n```",
        "| option | what it does |\n|---|---|\n" + "\n".join(rows),
    ]
    if command == "cbatch":
        parts.append(_variables(made))
    if made.epilog:
        parts.append(f"```\n{made.epilog.rstrip()}\n```")
    return "\n\n".join(filter(None, parts)) + "\n"


def _variables(made: Parser) -> str:
    """The variables that stand for options."""
    names = [f"`CBATCH_{option[2:].replace('-', '_').upper()}`" for option in made.options if option.startswith("--")]
    return f"Variables that give an option (a switch is 1 or 0): {', '.join(sorted(names))}."


def _names(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return f"`{value}`"
    shown = ", ".join(f"`{name}`" for name in action.option_strings)
    return (shown if action.nargs == 0 else f"{shown} `{value}`").replace("|", "\\|")


def _help(action: argparse.Action) -> str:
    return _plain((action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))).replace(
        "|", "\\|"
    )


def _plain(text: str) -> str:
    return text.replace("<", "&lt;")


def bash() -> str:
    """A completion for bash: options of each command; file names elsewhere."""
    cases = [f"    {name}) words='{' '.join(sorted(_offered(parser_of(name))))}' ;;" for name in COMMANDS]
    return "\n".join(
        (
            "# bash completion of crane-celery: source it, or put it into /etc/bash_completion.d",
            "_crane_celery() {",
            '  local words="" current="${COMP_WORDS[COMP_CWORD]}"',
            '  case "${COMP_WORDS[0]##*/}" in',
            *cases,
            "  esac",
            '  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))',
            '  else COMPREPLY=($(compgen -f -- "$current")); fi',
            "}",
            f"complete -o filenames -F _crane_celery {' '.join(COMMANDS)}",
            "",
        )
    )


def _offered(made: Parser) -> list[str]:
    return [name for action in made.shown for name in action.option_strings if name.startswith("--")]


def main(folder: str) -> None:
    """Write all pages into a folder."""
    import os

    os.makedirs(folder, exist_ok=True)
    for command in COMMANDS:
        with open(os.path.join(folder, f"{command}.md"), "w", encoding="utf-8") as file:
            file.write(page(command))


if __name__ == "__main__":
    main(sys.argv[1])
