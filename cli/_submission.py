"""The options of a submission, and how a script with its directives becomes a request to the gateway."""

from __future__ import annotations

import os
import sys

from crane_celery.errors import CraneError, InputError, SystemFault
from crane_celery.surroundings import of_caller, to_submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cli._options import Parser

#: options that are the command's own business, not the job's
_OWN = (
    *("parsable", "wait", "json", "wrap", "script", "args", "export", "test_only", "array_retry"),
    *("array_each_line", "array_from_json"),
)
#: options of one matter: one given later in the order script, environment, command line takes the place of the other
_RIVALS = (("mem", "mem_per_cpu"), ("array_each_line", "array_from_json"), ("array", "repeat"))
#: first part of the names of the variables that give options
VARIABLES = "CBATCH_"
_YES, _NO = ("", "1", "yes", "true", "on"), ("0", "no", "false", "off")
_POD = ("--pod-name", "--pod-port", "--pod-user", "--pod-dns")


def add_options(parser: Parser) -> None:
    """What describes a job: the same on the command line and in a directive."""
    add = parser.add_argument
    add("-J", "--job-name", metavar="NAME", help="name (default: the script's, or Wrap)")
    add("-N", "--nodes", metavar="N", help="nodes")
    add("-n", "--ntasks", metavar="N", help="tasks over all nodes")
    add("--ntasks-per-node", metavar="N", help="tasks on each node")
    add("-c", "--cpus-per-task", metavar="N", help="CPUs for each task (default 1; fractions allowed)")
    add("--mem", metavar="SIZE", help="memory on each node, such as 500M or 2G")
    add("--mem-per-cpu", metavar="SIZE", help="memory for each CPU")
    add("--gres", metavar="LIST", help="generic resources on each node, such as gpu:a100:2")
    add("--gpus-per-node", metavar="N", help="GPUs on each node: a number, or types such as a100:2")
    add("-t", "--time", metavar="TIME", help="time limit: minutes, MM:SS, H:MM:SS, D-H:MM:SS, 1h30m")
    add("-p", "--partition", metavar="NAME", help="partition")
    add("-D", "--chdir", metavar="DIR", help="working directory (default: this one)")
    add("-i", "--input", metavar="FILE", help="standard input (default /dev/null)")
    add("-o", "--output", metavar="FILE", help="standard output (default Crane-%%j.out, in arrays Crane-%%A_%%a.out)")
    add("-e", "--error", metavar="FILE", help="standard error (default: with the output)")
    add("--open-mode", metavar="MODE", help="truncate (default) or append")
    add("--export", metavar="LIST", help="environment that travels: ALL (default), NONE, NIL, or ALL,A=1,B")
    add(
        "--get-user-env",
        action="store_true",
        help="read the user's profile files on the node before the script (--export=NONE does so too)",
    )
    add("-a", "--array", metavar="INDEXES", help="an array: 0-31, 1,3,5, 1-7:2; %%N at most N at once")
    add(
        "--array-each-line",
        metavar="FILE",
        help="an array with an element for each line, empty ones too, which finds it in CRANE_ARRAY_ITEM; its index is"
        " the line's number from 0; --array=%%N bounds how many run at once, --array=INDEXES chooses lines",
    )
    add("--array-from-json", metavar="FILE", help="the same for each value of a JSON list: a text, or compact JSON")
    add("--array-max-fails", metavar="N", help="when N elements have failed, cancel those that have not started")
    add("--repeat", metavar="N", help="submit the same job so many times")
    _add_when(parser)
    add("-L", "--licenses", metavar="LIST", help="licences while it runs: matlab:2,ansys:1, or '|' between choices")
    add("--constraint", metavar="EXPR", help="features of its nodes: a&b, a|b, with brackets")
    add("-w", "--nodelist", metavar="HOSTS", help="only on these nodes")
    add("-x", "--exclude", metavar="HOSTS", help="never on these nodes")
    add("--exclusive", action="store_true", help="whole nodes")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--requeue", dest="requeue", action="store_const", const="yes", help="run again after any failure"
    )
    again.add_argument(
        "--no-requeue", dest="requeue", action="store_const", const="no", help="never run again, not even a lost node's"
    )
    add("--interpreter", metavar="PATH", help="run the script with this program (default: its #! line, else sh)")
    add("--extra-attr", metavar="JSON", help="a JSON object that is kept with the job")
    _add_recorded(parser)
    _add_later(parser)


def _add_when(parser: Parser) -> None:
    """What says when it may start, when it is over, and what it is sent before."""
    add = parser.add_argument
    add("-d", "--dependency", metavar="EXPR", help="such as afterok:100:101+2h,afterany:102 or after:1?after:2")
    add("--kill-on-invalid-dep", metavar="yes|no", help="whether to cancel it when its dependency can never be met")
    add("-H", "--hold", action="store_true", help="hold the job until it is released")
    add("-b", "--begin", metavar="TIME", help="not before: now+1h, 16:00, tomorrow, 2026-01-31T12:00, 16:00-friday")
    add("--deadline", metavar="TIME", help="over at this time, started or not (forms as for --begin)")
    add(
        "-s",
        "--signal",
        metavar="SPEC",
        help="[B:]SIGNAL[@SECONDS], such as USR1@120: so long (default 60 s) before the time limit, at once where less"
        " is left; it goes to the steps that run then, without any to all processes of the script; with B: to the"
        " script's own process alone",
    )


def _add_recorded(parser: Parser) -> None:
    """What real scripts have, and what does nothing here."""
    none = "recorded, without effect"
    for flags, what in (
        ("-A --account", "NAME"),
        ("-q -Q --qos", "NAME"),
        ("--mail-type", "LIST"),
        ("--mail-user", "NAME"),
        ("--comment", "TEXT"),
        ("--wckey", "KEY"),
        ("--priority", "N"),
        ("--cpu-freq", "FREQ"),
        ("-m --distribution", "HOW"),
        ("--ntasks-per-socket", "N"),
        ("--sockets-per-node", "N"),
        ("--cores-per-socket", "N"),
        ("--threads-per-core", "N"),
    ):
        parser.add_argument(*flags.split(), metavar=what, help=none)


def _add_later(parser: Parser) -> None:
    """What is known and answered with "not supported yet"."""
    parser.later("-r", "--reservation")
    for flag in ("--pod", "--pod-userns", "--pod-host-network"):
        parser.later(flag, takes_value=False)
    for flag in _POD:
        parser.later(flag)


def assemble(parser: Parser, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the job as the gateway takes it, all options: the script's, over them the environment's, over them ``given``).

    Raises InputError.
    """
    source = Source(given)
    where: dict[str, str] = {}
    options = _directives(parser, source, where)
    for layer in (from_environment(parser, where), given):
        options = _over(options, layer)
    args = options.get("args") or []
    if "wrap" in given and (given.get("script") or args):
        raise InputError("--wrap excludes a script: give one of them")
    wanted = {name: value for name, value in options.items() if name not in _OWN}
    wanted.setdefault("job_name", source.name)
    wanted["command"] = " ".join([source.shown, *args])
    job = {
        "options": wanted,
        "where": {name: place for name, place in where.items() if name not in given},
        "script": source.text,
        "argv": args,
        **_items(options),
        **surroundings(options.get("export")),
    }
    if str(options.get("export")).upper() == "NONE":
        wanted["get_user_env"] = True
    return job, options


def _over(options: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Options with those of a layer above; of rivals the upper one stays."""
    kept = dict(options)
    for pair in _RIVALS:
        for one, other in (pair, pair[::-1]):
            if one in layer and other not in layer:
                kept.pop(other, None)
    return {**kept, **layer}


def from_environment(parser: Parser, where: dict[str, str]) -> dict[str, Any]:
    """Options given by variables: ``CBATCH_PARTITION=long`` is ``--partition=long``; a switch is 1 or 0.

    ``where`` gets the variable of each. One that is no option is told and passed over: it may be somebody's own.
    """
    names = sorted(name for name in os.environ if name.startswith(VARIABLES))
    if not names:
        return {}
    known = {option[2:].replace("-", "_").upper(): option for option in parser.options if option.startswith("--")}
    found: dict[str, Any] = {}
    for name in names:
        option = known.get(name.removeprefix(VARIABLES))
        if option is None:
            from cli._main import complain
            from crane_celery.grammar.names import did_you_mean

            hint = did_you_mean(name, [VARIABLES + each for each in known])
            complain(f"cbatch: {name} is in the environment and names no option{hint}", "33")
            continue
        try:
            options = _parsed(parser, [f"{option}={os.environ[name]}"])
        except CraneError as error:
            raise type(error)(f"{name}: {error.message}") from None
        found.update(options)
        where.update(dict.fromkeys(options, name))
    return found


def _parsed(parser: Parser, argv: Sequence[str]) -> dict[str, Any]:
    """Options of a directive or a variable, where a switch may have a value: ``--exclusive=true``, ``--hold=no``."""
    words = []
    for word in argv:
        option, equals, value = word.partition("=")
        if equals and parser.options.get(option):
            if value.lower() not in _YES + _NO:
                raise InputError(
                    f"{option}: {value!r} is neither yes nor no: leave the value out, or write one of them"
                )
            if value.lower() in _NO:
                continue
            word = option
        words.append(word)
    return vars(parser.parse(words, within="a script or a variable"))


def _items(options: dict[str, Any]) -> dict[str, Any]:
    """The values of an array made from a list. Raises InputError."""
    if "array_each_line" not in options and "array_from_json" not in options:
        return {}
    from cli._items import read_items

    return {"items": read_items(options)}


class Source:
    """Where the script comes from: a file, ``--wrap`` or standard input."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Read it, as the user. Raises InputError."""
        path = given.get("script")
        self.wrapped = "wrap" in given
        if self.wrapped:
            self.name, self.shown = "Wrap", given["wrap"]
            self.text = f"#!/bin/sh\n{given['wrap']}\n"
            if not given["wrap"].strip():
                raise InputError("--wrap: the command is empty")
        elif path:
            self.name, self.shown = os.path.basename(path), path
            self.text = os.fsdecode(_read(path))
        else:
            self.name, self.shown = "stdin", "-"
            self.text = os.fsdecode(sys.stdin.buffer.read())
        self.place = path or self.name


def _read(path: str) -> bytes:
    """The script's bytes. Raises InputError with what stands in the way."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        why = {
            FileNotFoundError: "there is no such file; check the path, or give a command with --wrap",
            IsADirectoryError: "it is a directory; name a script in it",
            PermissionError: "it cannot be read; chmod u+r it, or ask its owner",
        }.get(type(error), error.strerror)
        raise InputError(f"script {path!r}: {why}") from None


def _directives(parser: Parser, source: Source, where: dict[str, str]) -> dict[str, Any]:
    """The options in the script; ``where`` gets the line of each. Raises InputError naming line and option."""
    if source.wrapped:
        return {}
    if "\0" not in source.text and not any(each in source.text for each in ("#CBATCH", "#SBATCH", "#BSUB")):
        _plain(source)
        return {}
    from crane_celery.grammar.directives import split_script

    found: dict[str, Any] = {}
    try:
        script = split_script(source.text)
    except InputError as error:
        raise InputError(f"{source.place}: {error.message}") from None
    for line in script.directives:
        place = f"{source.place}:{line.line_no} {line.prefix}"
        try:
            options = _parsed(parser, line.argv)
        except CraneError as error:
            raise type(error)(f"{place}: {error.message}") from None
        strange = options.get("script") or options.get("wrap")
        if strange:
            raise InputError(f"{place}: {strange!r} is no option; write --option=value")
        options = {name: value for name, value in options.items() if name not in ("script", "args")}
        found = _over(found, options)
        where.update(dict.fromkeys(options, place))
    return found


def _plain(source: Source) -> None:
    """What split_script refuses, for a script without directives: its import is saved for those that have some."""
    if not source.text.strip():
        raise InputError(f"{source.place}: the script is empty: write the commands to run into it")
    if "\r\n" in source.text:
        raise InputError(
            rf"{source.place}: the script has DOS line breaks (\r\n): mend it with dos2unix FILE"
            r" or sed -i 's/\r$//' FILE"
        )


def surroundings(export: str | None) -> dict[str, Any]:
    """Environment, directory, zone, umask and host of the caller. Raises InputError for a malformed export list."""
    umask = os.umask(0o077)
    os.umask(umask)
    env = to_submit(of_caller(), export)
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise SystemFault(f"the working directory is gone ({error.strerror}): cd somewhere first") from None
    from cli._zone import zone

    return {"env": env, "cwd": cwd, "tz": zone(), "umask": umask, "host": os.uname().nodename}
