"""Batch scripts: the interpreter and the options written into them as ``#CBATCH``, ``#SBATCH`` and ``#BSUB`` lines.

A directive stands at the start of a line. ``#SBATCH`` ends at the first command, as in Slurm; the others may stand
anywhere in the file, but not in what the script only writes or quotes (grammar.embedded). Options are split like the
words of a shell: blanks separate, quotes and backslashes protect, ``#`` at the start of a word begins a comment;
nothing is expanded. A line may hold many options. ``##SBATCH`` and ``# SBATCH`` are comments. What the options mean is
the command's business.

Whatever looks like a directive and is not read as one is named in a notice, except what is plainly switched off.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote
from crane_celery.grammar.words import BLANKS, split_words, strange_blank

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: beginnings of lines that carry options
PREFIXES = ("#CBATCH", "#SBATCH", "#BSUB")
#: one of them as a person may have meant it: not at the start of its line, or in small letters
_NEARLY = r"(?i)\s*#(?:[CS]BATCH|BSUB)(?=[\s-]|$)"
#: one of them switched off, or what a formatter of Python makes of it
_APART = r"#[ \t]+(?:[CS]BATCH|BSUB)[ \t]+-"
#: lines of other systems
_FOREIGN = r"#(?:PBS|COBALT|OAR|PJM|HQ|QSUB|NQS|MSUB|FLUX:|flux:|\$(?=\s*-)|\s?@(?=\s*\w+\s*=))"
#: at the beginning of a file, what some editors write before UTF-8
MARK = "\ufeff"
#: so many lines are named in a notice
_FEW = 5


class Directive(NamedTuple):
    """The options of one line."""

    #: counted from 1, for messages
    line_no: int
    #: one of PREFIXES
    prefix: str
    #: the words after the prefix, quotes removed
    argv: tuple[str, ...]


class Script(NamedTuple):
    """Record of what a batch script says about itself."""

    #: program and at most one argument of the ``#!`` line, as the kernel splits it; () without one
    interpreter: tuple[str, ...]
    #: lines that carry options, in order; empty ones are left out
    directives: tuple[Directive, ...]
    #: what to tell about lines that were not read, or stand at a strange place
    notices: tuple[str, ...] = ()


def split_script(text: str, interpreter: tuple[str, ...] = ()) -> Script:
    """Read a script, of which ``interpreter`` was chosen in place of its ``#!`` line.

    Raises InputError when it is empty, binary, has DOS line breaks, or a directive cannot be read.
    """
    check_script(text)
    lines = text.removeprefix(MARK).split("\n")
    words = interpreter_of(text)
    command = _first_command(lines)
    read, late = _places(lines, command, interpreter or words)
    found = [_directive(number, lines[number - 1]) for number in read]
    directives = tuple(each for each in found if each.argv)
    notices = [*_late(lines, late, command), *_strays(lines[: command - 1], bool(found))]
    return Script(words, directives, tuple(notices))


def check_script(text: str) -> None:
    """Raise InputError for what is no script: empty, binary, or with line breaks of another system."""
    if text.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise InputError("the script is written in UTF-16: mend it with iconv -f UTF-16 -t UTF-8")
    if "\0" in text:
        raise InputError("the script is a binary file: submit a text script, or a program with --wrap")
    if not text.removeprefix(MARK).strip():
        raise InputError("the script is empty: write the commands to run into it")
    if "\r\n" in text:
        raise InputError(r"the script has DOS line breaks (\r\n): mend it with dos2unix FILE or sed -i 's/\r$//' FILE")
    if "\r" in text and "\n" not in text:
        raise InputError(r"the script has line breaks of old Macs (\r): mend it with tr '\r' '\n' < FILE > NEW")


def interpreter_of(text: str) -> tuple[str, ...]:
    """The ``#!`` line as the kernel takes it: the program, and everything after it as one argument; () without one.

    Raises InputError for one that names nothing.
    """
    line = text.removeprefix(MARK).partition("\n")[0]
    if not line.startswith("#!"):
        return ()
    words = tuple(line[2:].strip(" \t").split(None, 1))
    if not words:
        raise InputError(f"bad first line {quote(line)}: name the interpreter, such as #!/bin/bash")
    return words


def _first_command(lines: list[str]) -> int:
    """Number of the first line that is neither empty nor a comment; one beyond the last where there is none."""
    found = (number for number, line in enumerate(lines, 1) if (bare := line.strip()) and not bare.startswith("#"))
    return next(found, len(lines) + 1)


def _places(lines: list[str], command: int, interpreter: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """(numbers of the lines to read, numbers of directives after the first command); those in text are in neither."""
    numbers = [number for number, line in enumerate(lines, 1) if line.startswith(PREFIXES) and _prefix(line)]
    late = [number for number in numbers if number > command]
    if late:
        hidden = _hidden(lines, interpreter)
        late = [number for number in late if number not in hidden]
    read = [number for number in numbers if number < command]
    return read + [number for number in late if not lines[number - 1].startswith("#SBATCH")], late


def _hidden(lines: list[str], interpreter: tuple[str, ...]) -> set[int]:
    """Numbers of the lines that begin within something."""
    from crane_celery.grammar.embedded import hidden_lines

    spans = iter(hidden_lines("\n".join(lines), interpreter))
    found, offset, end = set(), 0, -1
    span = next(spans, None)
    for number, line in enumerate(lines, 1):
        while span and span[0] < offset:
            end = max(end, span[1])
            span = next(spans, None)
        if offset < end:
            found.add(number)
        offset += len(line) + 1
    return found


def _prefix(line: str) -> str:
    """The prefix of a directive; "" for a longer word that begins like one. Raises nothing."""
    prefix = next(each for each in PREFIXES if line.startswith(each))
    return prefix if re.match(rf"(?a)[\s{BLANKS}-]|$", line[len(prefix) :]) else ""


def _directive(number: int, line: str) -> Directive:
    """The directive on a line. Raises InputError."""
    prefix = _prefix(line)
    rest = line[len(prefix) :]
    argv = split_words(rest)
    if argv is None:
        raise InputError(f"line {number} {quote(line)}: a quote or backslash is left open; close it")
    strange = strange_blank(rest)
    if strange:
        why = f"{strange} stands where a blank should: write a plain blank, or quote the value"
        raise InputError(f"line {number} {quote(line)}: {why}")
    return Directive(number, prefix, argv)


def _late(lines: list[str], late: list[int], command: int) -> Iterable[str]:
    """Notices of directives after the first command."""
    unread = [number for number in late if lines[number - 1].startswith("#SBATCH")]
    if unread:
        what = f"#SBATCH after the first command (line {command}) is not read"
        yield f"{_listed(unread)}: {what}, as in Slurm: move it up"
    taken = [number for number in late if number not in unread]
    if taken:
        names = " and ".join(sorted({_prefix(lines[number - 1]) for number in taken}, reverse=True))
        what = f"{names} after the first command (line {command}) is read all the same"
        yield f"{_listed(taken)}: {what}: better move it up"


def _strays(head: list[str], some: bool) -> Iterable[str]:
    """Notices of comments that were perhaps meant as directives."""
    nearly = [at for at, line in enumerate(head, 1) if re.match(_NEARLY, line) and not line.startswith(PREFIXES)]
    if nearly:
        what = f"a directive begins its line, in capitals ({', '.join(PREFIXES)})"
        yield f"{_listed(nearly)}: taken for a comment: {what}"
    apart = [at for at, line in enumerate(head, 1) if re.match(_APART, line)]
    if apart and not some:
        yield f"{_listed(apart)}: taken for a comment: no blank may stand behind the # of a directive"
    foreign = [number for number, line in enumerate(head, 1) if re.match(_FOREIGN, line)]
    if foreign and not some:
        match = re.match(_FOREIGN, head[foreign[0] - 1])
        name = match[0].rstrip(":") if match else ""
        yield f"{_listed(foreign)}: {name} lines are not read here: write the options as #CBATCH or #SBATCH lines"


def _listed(numbers: list[int]) -> str:
    """``line 3`` or ``lines 3, 5``, a few of many."""
    shown = ", ".join(map(str, numbers[:_FEW])) + (f" and {len(numbers) - _FEW} more" if len(numbers) > _FEW else "")
    return f"line {shown}" if len(numbers) == 1 else f"lines {shown}"
