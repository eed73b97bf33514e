"""The options of a submission, and how a script with its directives becomes a request to the gateway."""

from __future__ import annotations

import os
import sys

from crane_celery.errors import CraneError, InputError, SystemFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cli._options import Parser

#: options that are the command's own business, not the job's
_OWN = ("parsable", "wait", "json", "wrap", "script", "args", "export")
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
    add("--repeat", metavar="N", help="submit the same job so many times")
    add("-d", "--dependency", metavar="EXPR", help="such as afterok:100:101+2h,afterany:102 or after:1?after:2")
    add("-H", "--hold", action="store_true", help="hold the job until it is released")
    add("-w", "--nodelist", metavar="HOSTS", help="only on these nodes")
    add("-x", "--exclude", metavar="HOSTS", help="never on these nodes")
    add("--exclusive", action="store_true", help="whole nodes")
    add("--interpreter", metavar="PATH", help="run the script with this program (default: its #! line, else sh)")
    add("-A", "--account", metavar="NAME", help="recorded, without effect")
    add("-q", "-Q", "--qos", metavar="NAME", help="recorded, without effect")
    add("--mail-type", metavar="LIST", help="recorded, without effect")
    add("--mail-user", metavar="NAME", help="recorded, without effect")
    add("--comment", metavar="TEXT", help="recorded, without effect")
    add("--wckey", metavar="KEY", help="recorded, without effect")
    _add_later(parser)


def _add_later(parser: Parser) -> None:
    """What is known and answered with "not supported yet"."""
    for flags in (
        ("-b", "--begin"),
        ("--deadline",),
        ("-s", "--signal"),
        ("-L", "--licenses"),
        ("-r", "--reservation"),
    ):
        parser.later(*flags)
    parser.later("--requeue", takes_value=False)
    parser.later("--no-requeue", takes_value=False)
    for flag in ("--pod", "--pod-userns", "--pod-host-network"):
        parser.later(flag, takes_value=False)
    for flag in _POD:
        parser.later(flag)


def assemble(parser: Parser, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the job as the gateway takes it, all options: directives overridden by ``given``). Raises InputError."""
    source = Source(given)
    where: dict[str, str] = {}
    options = {**_directives(parser, source, where), **given}
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
        **surroundings(options.get("export")),
    }
    if options.get("export") == "NONE":
        wanted["get_user_env"] = True
    return job, options


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
    if "\0" not in source.text and "#CBATCH" not in source.text and "#SBATCH" not in source.text:
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
            options = vars(parser.parse(line.argv))
        except CraneError as error:
            raise type(error)(f"{place}: {error.message}") from None
        strange = options.get("script") or options.get("wrap")
        if strange:
            raise InputError(f"{place}: {strange!r} is no option; write --option=value")
        options = {name: value for name, value in options.items() if name not in ("script", "args")}
        found.update(options)
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
    env: dict[str, str] = dict(os.environ)
    if export is not None:
        from crane_celery.grammar.export import apply_export

        env = apply_export(export, env)
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise SystemFault(f"the working directory is gone ({error.strerror}): cd somewhere first") from None
    return {"env": env, "cwd": cwd, "tz": zone(), "umask": umask, "host": os.uname().nodename}


def zone() -> str:
    """The caller's time zone: ``$TZ``, else its offset from UTC now."""
    import time

    return os.environ.get("TZ") or time.strftime("%z")
