"""File name patterns of jobs' input and output: ``%j``, ``%A_%a``, ``%5t`` and so on.

A pattern is checked once at submission (:func:`check_filename`) and expanded on the node, so :func:`expand_filename`
never fails: what it does not know it leaves as written. Numbers take a width for zero padding (``%5j``; above 10 it
counts as 10; on other letters it has no effect). A backslash anywhere switches expansion off and stays in the name.
Limits of length are CraneSched's.
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

#: what %a gives outside arrays (Slurm's NO_VAL)
NO_INDEX = 4294967294
MAX_PATH = 3969
MAX_FILE = 127
MAX_WIDTH = 10
#: letter -> what it stands for, in the order they are listed to people
LETTERS = {
    "%": "a percent sign",
    "j": "job id",
    "A": "array id",
    "a": "array index",
    "I": "array index, 0 outside arrays",
    "J": "job.step",
    "s": "step id",
    "N": "short host name",
    "n": "node index",
    "t": "task rank",
    "u": "user",
    "x": "job name (a slash as _)",
    "r": "run",
}
_TOKEN = r"(?as)%(\d*)(.?)"


class FilenameContext(NamedTuple):
    """Record of what the letters stand for in one task of one step."""

    job: int
    #: the array's id, None outside arrays
    array_job: int | None
    #: the element's index, None outside arrays
    array_index: int | None
    step: int
    #: host name, short or full; only the part before the first dot is used
    host: str
    #: position of the node among the job's nodes, from 0
    node_index: int
    #: rank of the task in its step, from 0
    task: int
    user: str
    #: the job's name
    name: str
    #: which attempt at the job this is
    run: int


def check_filename(pattern: str) -> str:
    """The pattern itself; InputError for an unknown letter, a lone percent sign, NUL, an over-long name, and for what
    somebody else should have expanded (a home directory, a variable) or completed (a directory)."""
    if "\0" in pattern:
        raise InputError(f"bad file name {quote(pattern)}: take out the NUL character")
    if pattern.startswith("~"):
        raise InputError(f"bad file name {quote(pattern)}: no ~ is expanded here: write the whole path")
    variable = re.search(r"\$(?:[A-Za-z_]|\{)", pattern) if "\\" not in pattern else None
    if variable:
        raise InputError(f"bad file name {quote(pattern)}: no variable is expanded here: write the whole path")
    if pattern.endswith("/"):
        raise InputError(f"bad file name {quote(pattern)}: it is a directory; add the name of a file, such as %j.out")
    if len(pattern) > MAX_PATH or len(pattern.rpartition("/")[2]) > MAX_FILE:
        raise InputError(
            f"file name {quote(pattern)} is too long: at most {MAX_FILE} characters, {MAX_PATH} with its directories"
        )
    if "\\" not in pattern:
        for match in re.finditer(_TOKEN, pattern):
            if match[2] not in LETTERS:
                known = ", ".join(f"%{letter} {meaning}" for letter, meaning in LETTERS.items())
                raise InputError(f"unknown {quote(match[0])} in file name {quote(pattern)}: write one of {known}")
    return pattern


def expand_filename(pattern: str, ctx: FilenameContext) -> str:
    """The file name for one task; never raises, unknown letters stay as they are."""
    if "\\" in pattern or "%" not in pattern:
        return pattern
    numbers, words = _values(ctx)

    def value(match: re.Match[str]) -> str:
        letter = match[2]
        if letter in numbers:
            return str(numbers[letter]).zfill(min(int(match[1][:9] or "0"), MAX_WIDTH))
        return words.get(letter, match[0])

    return re.sub(_TOKEN, value, pattern)


def _values(ctx: FilenameContext) -> tuple[dict[str, int], dict[str, str]]:
    """The letters that are numbers, and the others."""
    array_job = ctx.job if ctx.array_job is None else ctx.array_job
    index = NO_INDEX if ctx.array_index is None else ctx.array_index
    numbers = {"j": ctx.job, "A": array_job, "a": index, "s": ctx.step, "n": ctx.node_index, "t": ctx.task}
    numbers |= {"r": ctx.run, "I": ctx.array_index or 0}
    words = {
        "%": "%",
        "J": f"{ctx.job}.{ctx.step}",
        "N": ctx.host.partition(".")[0],
        "u": ctx.user,
        "x": ctx.name.replace("/", "_"),  # a name is no path
    }
    return numbers, words
