"""Manual pages for man(1), made from the parsers when the wheel is built (packaging/wheel.py)."""

from __future__ import annotations

from cli.manual.pages import parser_of, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from cli.common.options import Parser

_STATUS = """0  done
1  it could not be done, or something is wrong with this host
2  the command line is wrong; the message says how to mend it
3  no cluster answers
4  refused"""
_FILES = {
    "CRANE_HOME": "the directory of the cluster, where there is more than one",
    "CRANE_SOCKET": "the socket of its gateway; set inside jobs",
    "CRANE_CONNECT_TIMEOUT": "seconds to try to reach it (10)",
    "NO_COLOR": "no colours",
}


def man(command: str, version: str) -> str:
    """Return the page of a command, or of ``crane``, in the man macros of roff."""
    if command == "crane":
        return "".join(_crane(version))
    made = parser_of(command)
    parts = [*_head(command, version, made.description or ""), *_body(made, "SYNOPSIS")]
    if command == "ccontrol":
        parts += _actions()
    if made.epilog:
        parts += [*_heading("SH", "EXAMPLES"), *_as_is(made.epilog)]
    return "".join([*parts, *_foot(command)])


def _head(command: str, version: str, what: str) -> Iterable[str]:
    short = what.partition(".")[0].rstrip(".")
    yield f'.TH {command.upper()} 1 "" "crane-celery {version}" "User Commands"\n.nh\n'
    yield f".SH NAME\n{command} \\- {escaped(short[:1].lower() + short[1:])}\n"


def _body(made: Parser, heading: str) -> Iterable[str]:
    yield from _heading("SH", heading)
    yield from (f".B {escaped(line.strip())}\n.br\n" for line in usage(made).splitlines())
    yield from _section("DESCRIPTION", [made.description or ""])
    yield from _heading("SH", "OPTIONS")
    yield from _options(made.shown)


def _options(actions: Iterable[argparse.Action]) -> Iterable[str]:
    for action in actions:
        names = ", ".join(rf"\fB{escaped(option)}\fR" for option in action.option_strings)
        value = "" if action.nargs == 0 else action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        shown = " ".join(filter(None, (names, rf"\fI{escaped(value)}\fR" if value else "")))
        text = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
        yield f".TP\n{shown}\n{escaped(text)}\n"


def _actions() -> Iterable[str]:
    from cli.common.control_actions import ACTIONS, page

    yield from _heading("SH", "ACTIONS")
    for name in ACTIONS:
        yield from _heading("SS", name)
        yield from _as_is(page(name))


def _crane(version: str) -> Iterable[str]:
    from cli.crane import COMMANDS

    yield from _head("crane", version, "Administration of a cluster")
    yield ".SH SYNOPSIS\n.B crane COMMAND [options]\n.SH COMMANDS\n"
    for name in COMMANDS:
        made = parser_of(f"crane {name}")
        yield from _heading("SS", usage(made))
        yield f"{escaped(made.description or '')}\n"
        yield from _options(action for action in made.shown if action.dest not in ("help", "version"))
        if made.epilog:
            yield from _as_is(made.epilog)
    yield from _foot("crane")


def _foot(command: str) -> Iterable[str]:
    from cli.manual.pages import COMMANDS

    yield from [*_heading("SH", "EXIT STATUS"), *_as_is(_STATUS)]
    yield from _heading("SH", "ENVIRONMENT")
    yield from (f".TP\n.B {name}\n{escaped(what)}\n" for name, what in _FILES.items())
    others = [name for name in (*COMMANDS, "crane") if name != command]
    yield ".SH SEE ALSO\n" + ",\n".join(f".BR {name} (1)" for name in others) + "\n"


def _section(name: str, paragraphs: Iterable[str]) -> Iterable[str]:
    yield from _heading("SH", name)
    yield from (f"{escaped(text)}\n" for text in paragraphs)


def _heading(macro: str, text: str) -> Iterable[str]:
    yield f".{macro} {escaped(text)}\n"


def _as_is(text: str) -> Iterable[str]:
    """A text with its own line breaks."""
    yield ".PP\n.nf\n" + "".join(f"{escaped(line)}\n" for line in text.strip("\n").splitlines()) + ".fi\n"


def escaped(text: str) -> str:
    """Return a text that roff prints as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    text = text.replace("~", r"\(ti").replace("^", r"\(ha")
    return rf"\&{text}" if text[:1] in (".", "'") else text
