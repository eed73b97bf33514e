"""Define where options come from besides the command line: the script's directives, and variables of the
environment."""

from __future__ import annotations

import os
import sys

from crane_celery.errors import CraneError, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from cli.common.job_parser import JobParser
    from crane_celery.grammar.directives import Directive

    Layer = dict[str, Any]

#: beginnings of the names of variables that give options: ours, and those for scripts in Slurm's dialect
OURS, SLURMS = "CBATCH_", "SBATCH_"
#: Slurm's variables that are not named as their options
_NAMED = {"TIMELIMIT": "TIME", "ARRAY_INX": "ARRAY", "MEM_PER_NODE": "MEM", "WORK_DIR": "CHDIR"}
#: variables of Slurm's that set up the command and no job
_PASSED_OVER = ("DEBUG", "SELINUX_CONTEXT", "JOBID")
#: in the parser for their refusal only
_NO_OPTIONS = ("VERSION", "HELP", "USAGE", "VERBOSE", "CONFIG", "TEST_ONLY", "ARRAY_RETRY", "SUBMIT_KEY", "WRAP")
_YES, _NO = ("", "1", "yes", "true", "on"), ("0", "no", "false", "off")
#: of the command that submits -> the dialect that it brings
_DIALECTS = {"sbatch": "slurm", "bsub": "lsf"}
_DIALECTS_OF = {"#SBATCH": "slurm", "#BSUB": "lsf"}
#: whose names the options of a line have; those of LSF are given ours first
_FRONTS = {"#SBATCH": "slurm"}
#: in capitals: what a script has that is to be read closely; reading it is saved for all others
_MARKS = (
    "BATCH",
    "#BSUB",
    "#PBS",
    "#$",
    "#HQ",
    "#FLUX",
    "#COBALT",
    "#OAR",
    "#PJM",
    "#QSUB",
    "#NQS",
    "#MSUB",
    "#@",
    "# @",
)


#: how variables of other systems begin
_FOREIGN = ("SLURM", "LSB_", "LS_SUBCWD", "PBS_", "SGE_")


class Source:
    """Record of where the script comes from: a file, ``--wrap`` or standard input."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Read it, as the user; a byte order mark is left out. Raises InputError."""
        path = given.get("script")
        self.wrapped = "wrap" in given
        self.interpreter = str(given.get("interpreter") or "")
        if self.wrapped:
            self.name, self.shown = "Wrap", given["wrap"]
            self.text = f"#!/bin/sh\n{given['wrap']}\n"
            if not given["wrap"].strip():
                raise InputError("--wrap: the command is empty")
        elif path:
            self.name, self.shown = os.path.basename(path), path
            self.text = _decoded(_read(path))
        else:
            self.name, self.shown = "stdin", "-"
            self.text = _decoded(sys.stdin.buffer.read())
        self.place = path or self.name


def _decoded(data: bytes) -> str:
    """The script as text, whatever the locale: the node writes the same bytes again."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


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


def from_script(source: Source, where: dict[str, str]) -> tuple[list[Layer], list[str]]:
    """(the options of each directive, the dialects of script and command); ``where`` gets the line of each option.

    Lines that are not read are told. Raises InputError and NotSupported, which name line and option.
    """
    spoken = {_DIALECTS.get(os.path.basename(sys.argv[0]), "")}
    layers: list[Layer] = []
    parsers: dict[str, JobParser] = {}
    lines = list(_directives(source))
    of_lsf = [word for line in lines if line.prefix == "#BSUB" for word in line.argv]
    for line in lines:
        front = _FRONTS.get(line.prefix, "ours")
        spoken.add(_DIALECTS_OF.get(line.prefix, ""))
        if front not in parsers:
            parsers[front] = _parser(front)
        place = f"{source.place}:{line.line_no} {line.prefix}"
        layers.append(_parsed(place, parsers[front], _words(source, line, of_lsf), front))
        where.update(dict.fromkeys(layers[-1], place))
    dialects = sorted(spoken - {""})
    if dialects:
        _tell_absent(source, dialects)
    if any(mark in source.text for mark in _FOREIGN):
        _tell_unset(source, dialects)
    return layers, dialects


def _words(source: Source, line: Directive, of_lsf: Sequence[str]) -> tuple[str, ...]:
    """The words of a directive, those of LSF as ours. Raises InputError, NotSupported."""
    if line.prefix != "#BSUB":
        return line.argv
    from crane_celery.model.fields.lsf import translate

    try:
        return translate(line.argv, of_lsf)
    except CraneError as error:
        raise type(error)(f"{source.place}: line {line.line_no} {line.prefix}: {error.message}") from None


def _tell_unset(source: Source, dialects: list[str]) -> None:
    """Tell which variables of other systems a script reads."""
    from crane_celery.grammar.dialects import not_set

    notices = not_set(source.text, dialects, os.environ)
    if notices and "slurm" not in dialects and _always_slurms():
        notices = not_set(source.text, [*dialects, "slurm"], os.environ)
    for notice in notices:
        _tell(f"{source.place}: {notice}")


def _always_slurms() -> bool:
    """Return whether every job of this cluster has Slurm's variables."""
    from crane_celery.errors import ConfigError
    from crane_celery.settings import load

    try:
        return load().slurm_env
    except ConfigError:
        return False


def _tell_absent(source: Source, dialects: list[str]) -> None:
    """One notice of what a script in a foreign dialect will not find."""
    from crane_celery.grammar.dialects import COMMANDS, not_provided

    named = [name for dialect in dialects for name in COMMANDS[dialect] if name in source.text]
    notice = not_provided(source.text, dialects, os.environ, set(filter(_on_path, named)))
    if notice:
        _tell(f"{source.place}: {notice}")


def _on_path(name: str) -> bool:
    """Return whether there is such a command."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return any(os.access(os.path.join(folder or ".", name), os.X_OK) for folder in folders)


def _directives(source: Source) -> Iterable[Directive]:
    """The directives of a script; what else is to be said about it is told. Raises InputError, NotSupported."""
    if source.wrapped:
        return ()
    if not any(mark in source.text.upper() for mark in _MARKS) and not {"\0", "\r"} & set(source.text):
        if not source.text.strip():
            raise InputError(f"{source.place}: the script is empty: write the commands to run into it")
        return ()
    from crane_celery.grammar.directives import split_script

    try:
        script = split_script(source.text, (source.interpreter,) if source.interpreter else ())
    except CraneError as error:
        raise type(error)(f"{source.place}: {error.message}") from None
    for notice in script.notices:
        _tell(f"{source.place}: {notice}")
    return script.directives


def from_environment(where: dict[str, str], slurm: bool) -> list[Layer]:
    """Options given by variables: ``CBATCH_PARTITION=long`` is ``--partition=long``; a switch is 1 or 0.

    With ``slurm`` Slurm's variables, too, below ours. ``where`` gets the variable of each. One that is no option is
    told and passed over: it may be somebody's own. Raises InputError, NotSupported.
    """
    layers = []
    for prefix in (SLURMS, OURS) if slurm else (OURS,):
        names = sorted(name for name in os.environ if name.startswith(prefix))
        front = "slurm" if prefix == SLURMS else "ours"
        parser = _parser(front) if names else None
        for name in names:
            assert parser is not None
            option = _option(name, prefix, parser)
            if option:
                layers.append(_parsed(name, parser, [f"{option}={os.environ[name]}"], front))
                where.update(dict.fromkeys(layers[-1], name))
    return layers


def variables() -> list[str]:
    """Names of all variables of ours that give an option."""
    options = [option for action in _parser("ours").shown for option in action.option_strings]
    return [OURS + option[2:].replace("-", "_").upper() for option in options if option.startswith("--")]


def _option(name: str, prefix: str, parser: JobParser) -> str:
    """The option that a variable gives; "" for none, which is told."""
    from crane_celery.model.fields.refused import refusal

    word = name.removeprefix(prefix)
    known = {option[2:].replace("-", "_").upper(): option for option in parser.options if option.startswith("--")}
    asked = _NAMED.get(word, word) if prefix == SLURMS else word
    option = known.get(asked, "")
    if option or (prefix == SLURMS and word in _PASSED_OVER):
        return option
    if refusal(f"--{asked.lower().replace('_', '-')}"):
        return f"--{asked.lower().replace('_', '-')}"
    from cli.common.foreign_options import hint

    offered = [option for word, option in known.items() if word not in _NO_OPTIONS]
    meant = hint(f"--{asked.lower().replace('_', '-')}", offered).rpartition("--")[2].rstrip("'?")
    also = f"; did you mean {prefix}{meant.upper().replace('-', '_')}?" if meant else ""
    _tell(f"{name} is in the environment and names no option{also}")
    return ""


def _parser(front: str) -> JobParser:
    """For directives and variables: what describes a job, and no action of the command line."""
    from cli.common.job_parser import JobParser
    from cli.common.submission import add_options, add_ways

    made = JobParser("cbatch", typed=False, only_given=True)
    add_options(made, front)
    add_ways(made)
    for flag in ("--test-only", "--array-retry", "--submit-key", "--wrap"):
        made.refuse(flag, why="belongs to the command line: take it out")
    if front == "ours":
        made.refuse("-C", why="names a configuration on the command line: for features write --constraint")
    return made


def _parsed(place: str, parser: JobParser, argv: Sequence[str], front: str) -> Layer:
    """Options of a directive or a variable, where a switch may have a value: ``--exclusive=true``, ``--hold=no``.

    Raises InputError, NotSupported, which name ``place``.
    """
    words = []
    try:
        for word in argv:
            option, equals, value = word.partition("=")
            if equals and option in parser.switches:
                if value.lower() not in _YES + _NO:
                    why = f"{value!r} is neither yes nor no: leave the value out, or write one of them"
                    raise InputError(f"{option}: {why}")
                if value.lower() in _NO:
                    continue
                word = option
            words.append(word)
        found = parser.parse_words(words)
        return _as_in_slurm(found) if front == "slurm" else found
    except CraneError as error:
        raise type(error)(f"{place}: {error.message}") from None


def _as_in_slurm(options: Layer) -> Layer:
    """Options with values in our terms: ``%J``, which is the job's number for a script."""
    import re

    made = dict(options)
    for name in {"output", "error", "input"} & made.keys():
        made[name] = re.sub(r"%(\d*)(.)", lambda found: f"%{found[1]}j" if found[2] == "J" else found[0], made[name])
    return made


def _tell(text: str) -> None:
    """A notice."""
    from cli.common.main import complain

    complain(f"cbatch: {text}", "33")
