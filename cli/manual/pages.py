"""Define what the parsers know, as pages: ``make docs`` writes docs/commands."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cli.common.options import Parser

#: the commands that have a parser of their own to describe
COMMANDS = ("cacct", "cbatch", "ccancel", "ccontrol", "ceff", "cinfo", "clog", "cqueue", "crun", "cwait")

_MADE = "Made from the command's own parser by `make docs`: do not edit."


def parser_of(command: str) -> Parser:
    """Return the parser of a command, or of one of ``crane``'s, such as ``crane up``."""
    name, _, sub = command.partition(" ")
    if name == "crane":
        return _parser_of_crane(sub)
    made: Parser = import_module(f"cli.{command}").parser()
    return made


def _parser_of_crane(sub: str) -> Parser:
    """Return the parser that a sub-command would parse with. Raises KeyError where there is none of the name."""
    from cli.common.options import Described, Parser
    from cli.crane import COMMANDS as roles

    Parser.describing = True
    try:
        getattr(import_module(f"cli.admin.{roles[sub][0]}"), sub)([])
    except Described as found:
        return found.parser
    finally:
        Parser.describing = False
    raise AssertionError(f"crane {sub} parses nothing")


def page(command: str) -> str:
    """Return the manual page of a command, in Markdown."""
    if command == "crane":
        return _page_of_crane()
    made = parser_of(command)
    parts = [f"# {command}", _MADE, *_parts(made)]
    if command == "cbatch":
        parts.insert(-1 if made.epilog else len(parts), _variables())
        parts += ["## Options of other systems", *_of_others()]
    if command == "ccontrol":
        parts += _actions()
    return "\n\n".join(filter(None, parts)) + "\n"


def _page_of_crane() -> str:
    from cli.crane import COMMANDS as roles

    first = "Administration of a cluster. `$CRANE_HOME` chooses which; `crane COMMAND --help` says more."
    table = "\n".join(f"| [{name}](#crane-{name}) | {_plain(what)} |" for name, (_, what) in roles.items())
    parts = ["# crane", _MADE, first, f"| command | what it does |\n|---|---|\n{table}"]
    for name in roles:
        parts += [f"## crane {name}", *_parts(parser_of(f"crane {name}"))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _parts(made: Parser) -> list[str]:
    """Return the description, the usage, the options and the examples of a parser."""
    rows = [f"| {_names(each)} | {_help(each)} |" for each in made.shown]
    return [
        _plain(made.description or ""),
        f"```\n{usage(made)}\n```",
        "| option | what it does |\n|---|---|\n" + "\n".join(rows),
        _formats(made),
        f"```\n{made.epilog.rstrip()}\n```" if made.epilog else "",
    ]


def _formats(made: Parser) -> str:
    """Return what ``-o`` of a listing can show."""
    if not made.formats:
        return ""
    from cli.common.help_format import page

    return page(made.formats())


def usage(made: Parser) -> str:
    """Return the usage of a parser in one line."""
    written = made.usage or f"{made.prog} [options]"
    return written % {"prog": made.prog} if "%(" in written else written


def _actions() -> list[str]:
    """Return what each action of ccontrol takes."""
    from cli.common.control_actions import ACTIONS
    from cli.common.control_actions import page as help_of

    return [f"## ccontrol {name}\n\n```\n{help_of(name)}\n```" for name in ACTIONS]


def _variables() -> str:
    """The variables that stand for options."""
    from cli.common.script import variables

    names = [f"`{name}`" for name in variables()]
    return f"Variables that give an option (a switch is 1 or 0): {', '.join(sorted(names))}."


def _of_others() -> Iterator[str]:
    """Yield what becomes of the options in lines of Slurm's and LSF's, where that is not as in lines of ours."""
    from crane_celery.model.fields.row import REFUSED
    from crane_celery.model.fields.table import FIELDS

    for front, line in (("slurm", "#SBATCH"), ("lsf", "#BSUB")):
        there = [field for field in FIELDS if field.names(front)]
        rows: list[str] = []
        refused: dict[str, list[str]] = {}
        for field in there:
            ours = field.names("ours")
            names = [f"`{name}`" for name in field.names(front) if front == "lsf" or name not in ours]
            if field.effect == REFUSED:
                refused.setdefault(field.why, []).extend(names)
            elif names:
                meant = (front == "lsf" and field.lsf_help) or f"as `{ours[-1]}`"
                rows.append(f"| {', '.join(names)} | {field.effect}: {_plain(meant)} |")
        yield f"In `{line}` lines these are read, too:"
        yield "| option | what becomes of it |\n|---|---|\n" + "\n".join(rows)
        yield "These are refused, each by its name:"
        reasons = "\n".join(f"| {', '.join(names)} | {_plain(why)} |" for why, names in refused.items() if names)
        yield f"| option | what to do |\n|---|---|\n{reasons}"


def _names(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return f"`{value}`"
    shown = ", ".join(f"`{name}`" for name in action.option_strings)
    value = f"[={value}]" if action.nargs == "?" else value
    return (shown if action.nargs == 0 else f"{shown} `{value}`").replace("|", "\\|")


def _help(action: argparse.Action) -> str:
    return _plain((action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))).replace(
        "|", "\\|"
    )


def _plain(text: str) -> str:
    return text.replace("<", "&lt;")


def main(folder: str) -> None:
    """Write all pages into a folder."""
    import os

    os.makedirs(folder, exist_ok=True)
    for command in (*COMMANDS, "crane"):
        with open(os.path.join(folder, f"{command}.md"), "w", encoding="utf-8") as file:
            file.write(page(command))


if __name__ == "__main__":
    main(sys.argv[1])
