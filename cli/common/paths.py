"""Paths in options: ``~`` and ``$HOME`` are expanded here, as the submitting user: in a script no shell does it."""

from __future__ import annotations

import os
import re

from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: options whose value is a path; True where it is a pattern of a file name
_PATHS = {
    "output": True, "error": True, "input": True, "chdir": False, "array_each_line": False, "array_from_json": False,
}  # fmt: skip
_VARIABLE = r"(?a)\$(?:(\w+)|\{(\w+)\})"
#: variables that only a job has -> the letter of a file name for the same
_LETTERS = {
    "JOB_ID": "%j", "JOBID": "%j", "ARRAY_JOB_ID": "%A", "ARRAY_TASK_ID": "%a", "JOB_NAME": "%x", "JOBINDEX": "%a",
    "JOBNAME": "%x", "NODEID": "%n", "PROCID": "%t", "JOB_USER": "%u",
}  # fmt: skip
_OF_JOBS = r"(?:CRANE|SLURM|LSB|PBS)_"


def expand_paths(options: dict[str, Any], where: dict[str, str]) -> None:
    """Expand in place. A backslash switches it off, as it does for the letters of a file name.

    Raises InputError, which names the option and where it was written, for an unknown user or variable.
    """
    for name, pattern in _PATHS.items():
        value = options.get(name)
        if value and ("$" in value or value.startswith("~")) and "\\" not in value:
            try:
                options[name] = expanded(value, pattern)
            except InputError as error:
                place = f"{where[name]}: " if name in where else ""
                raise InputError(f"{place}--{name.replace('_', '-')}: {error.message}") from None


def expanded(path: str, pattern: bool, running: bool = False) -> str:
    """The path with its home directory and variables, which bring no letters into a pattern. ``running``: the job runs,
    so that its own variables are there. Raises InputError."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not running and re.match(_OF_JOBS, name):
            letter = _LETTERS.get(re.sub(_OF_JOBS, "", name), "")
            hint = f"write {letter} for it" if letter and pattern else "use it in the script"
            raise InputError(f"{path!r}: {match[0]} is known only when the job runs: {hint}")
        if name not in os.environ:
            raise InputError(f"{path!r}: {match[0]} is not set here: write the path itself")
        return os.environ[name].replace("%", "%%") if pattern else os.environ[name]

    head, slash, rest = path.partition("/")
    if head.startswith("~"):
        home = os.path.expanduser(head)
        if home == head:
            raise InputError(f"{path!r}: there is no user {head[1:]!r}: write ./{path} for a file of this name")
        head = home.replace("%", "%%") if pattern else home
    else:
        head = re.sub(_VARIABLE, value, head)
    return head + slash + re.sub(_VARIABLE, value, rest)


def in_job(path: str, *, pattern: bool) -> str:
    """The same within a job, whose own variables are there. A backslash switches it off. Raises InputError."""
    plain = "\\" in path or not ("$" in path or path.startswith("~"))
    return path if plain else expanded(path, pattern, running=True)
