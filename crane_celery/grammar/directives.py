"""Batch scripts: the interpreter and the options written into them as ``#CBATCH``, ``#SBATCH`` and ``#BSUB`` lines.

A directive stands at the start of a line, anywhere in the file and not only before the first command (as CraneSched
reads them; Slurm stops at the first command). Its options are split like a shell's words: blanks separate, quotes and
backslashes protect, ``#`` at the start of a word begins a comment; nothing is expanded. A line may hold many options.
``##SBATCH`` is a comment. What the options mean is the command's business; the few of ``#BSUB`` are given their names
here (reference/cranesched.md section 1.1).
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

_LINE = r"(?a)(#(?:[CS]BATCH|BSUB))(?=[\s-]|$)(.*)"
_WORD = r"""(?a)\s*(?:(?P<end>\#.*|$)|(?P<word>(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\.)*"|\\.)+)(?=\s|$))"""
_PIECE = r"""'(?P<raw>[^']*)'|"(?P<soft>(?:[^"\\]|\\.)*)"|\\(?P<one>.)|(?P<plain>[^'"\\]+)"""
_ESCAPE = r"""\\(["\\$`])"""
#: beginnings of lines that are looked at, so that all others cost nothing
PREFIXES = ("#CBATCH", "#SBATCH", "#BSUB")
#: LSF's options -> ours
_BSUB = {
    "-J": "--job-name",
    "-o": "--output",
    "-e": "--error",
    "-nnode": "--nodes",
    "-n": "--ntasks-per-node",
    "-W": "--time",
    "-M": "--mem",
    "-cwd": "--chdir",
    "-q": "--partition",
    "-env": "--export",
}


class Directive(NamedTuple):
    """The options of one line."""

    #: counted from 1, for messages
    line_no: int
    #: one of PREFIXES
    prefix: str
    #: the words after the prefix, quotes removed, LSF's options translated
    argv: tuple[str, ...]


class Script(NamedTuple):
    """What a batch script says about itself."""

    #: program and at most one argument of the ``#!`` line, as the kernel splits it; () without one
    interpreter: tuple[str, ...]
    #: lines that carry options, in order; empty ones are left out
    directives: tuple[Directive, ...]


def split_script(text: str) -> Script:
    """Read a script; InputError when it is empty, binary, has DOS line breaks, or a directive's quotes do not close."""
    if "\0" in text:
        raise InputError("the script is a binary file: submit a text script, or a program with --wrap")
    if not text.strip():
        raise InputError("the script is empty: write the commands to run into it")
    if "\r\n" in text:
        raise InputError(r"the script has DOS line breaks (\r\n): mend it with dos2unix FILE or sed -i 's/\r$//' FILE")
    lines = text.split("\n")
    found = (_directive(number, line) for number, line in enumerate(lines, 1) if line.startswith(PREFIXES))
    return Script(_interpreter(lines[0]), tuple(each for each in found if each and each.argv))


def split_words(text: str) -> tuple[str, ...] | None:
    """The words of a line as a shell splits them, up to a comment; None when a quote or backslash is left open."""
    words: list[str] = []
    at = 0
    while True:
        match = re.compile(_WORD).match(text, at)
        if not match:
            return None
        if match["end"] is not None:
            return tuple(words)
        words.append("".join(map(_unquoted, re.finditer(_PIECE, match["word"]))))
        at = match.end()


def _interpreter(line: str) -> tuple[str, ...]:
    """The ``#!`` line as the kernel takes it: everything after the program is one argument."""
    if not line.startswith("#!"):
        return ()
    words = tuple(line[2:].strip(" \t").split(None, 1))
    if not words:
        raise InputError(f"bad first line {quote(line)}: name the interpreter, such as #!/bin/bash")
    return words


def _directive(number: int, line: str) -> Directive | None:
    """The directive on a line, or None when it is none."""
    match = re.fullmatch(_LINE, line)
    if not match:
        return None
    argv = split_words(match[2])
    if argv is None:
        raise InputError(f"line {number} {quote(line)}: a quote or backslash is left open; close it")
    return Directive(number, match[1], _translated(argv, number) if match[1] == "#BSUB" else argv)


def _translated(argv: tuple[str, ...], number: int) -> tuple[str, ...]:
    """LSF's options in our words. Raises InputError for one that is not in the table."""
    words: list[str] = []
    left = iter(argv)
    for name in left:
        if name not in _BSUB:
            from crane_celery.grammar.names import did_you_mean

            hint = did_you_mean(name, _BSUB) or f": of LSF's there are {' '.join(_BSUB)}"
            raise InputError(f"line {number} #BSUB: unknown option {quote(name)}{hint}")
        value = next(left, None)
        if value is None:
            raise InputError(f"line {number} #BSUB: {name} has no value")
        found = re.fullmatch(r"(?s)(.*)\[(.*)\](%.*)?", value) if name == "-J" else None
        if found:  # LSF's arrays: name[indexes]%limit
            words.append(f"--array={found[2]}{found[3] or ''}")
            value = found[1]
        if value or not found:
            words.append(f"{_BSUB[name]}={_converted(name, value)}")
    return tuple(words)


def _converted(name: str, value: str) -> str:
    """A value of LSF's as we write it: its clock is ``hours:minutes``, its export words are small."""
    if name == "-W" and value.count(":") == 1:
        return f"{value}:00"
    return value.upper() if name == "-env" and value.lower() in ("all", "none") else value


def _unquoted(piece: re.Match[str]) -> str:
    """What one quoted or plain piece of a word stands for."""
    if piece["soft"] is not None:
        return re.sub(_ESCAPE, r"\1", piece["soft"])
    return next(text for text in (piece["raw"], piece["one"], piece["plain"]) if text is not None)
