"""LSF's options in ``#BSUB`` lines, in our words (reference/cranesched.md section 1.1 for the list).

An option is taken by its exact name: LSF's names have one dash and several letters, so that reading ``-oo`` as ``-o o``
would be a wrong reading. What is LSF's and not there yet is refused by name.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError, NotSupported
from crane_celery.grammar._lex import quote
from crane_celery.model.fields.lsf_values import gpus, requirements
from crane_celery.model.fields.row import REFUSED
from crane_celery.model.fields.table import FIELDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS = {name: field for field in FIELDS for name in field.names("lsf")}
#: LSF's options that there are
_TAKEN = [name for name, field in _ROWS.items() if field.effect != REFUSED]
#: what asks for a mail, and when that is sent
_MAILS = {"-B": "BEGIN", "-N": "END"}
_ACTIONS = ("-h", "-V", "-help")


def translate(argv: tuple[str, ...], everything: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words of one line in our words. Raises InputError, NotSupported.

    ``everything``: the words of all lines of the script, where one says how another is meant: with ``span[...]``,
    ``-n`` is the number of all tasks; ``-B`` and ``-N`` together ask for two mails.
    """
    said = [*everything, *argv]
    words: list[str] = []
    left = iter(argv)
    for name in left:
        if name not in _TAKEN:
            raise _refusal(name)
        if name in _MAILS:
            kinds = dict.fromkeys(kind for each, kind in _MAILS.items() if each in said)
            words.append(f"--mail-type={','.join(kinds)}")
        elif not _ROWS[name].value or _ROWS[name].value.startswith("["):
            words.append(_ROWS[name].names("ours")[-1])
        else:
            value = next(left, None)
            if value is None:
                raise InputError(f"{name} has no value")
            words += _valued(name, value, any("span[" in word for word in said))
    return tuple(words)


def _valued(name: str, value: str, spans: bool) -> Iterator[str]:
    """Yield an option with its value in our words."""
    if name == "-R":
        yield from requirements(value)
        return
    found = re.fullmatch(r"(?s)(.*)\[(.*)\](%.*)?", value) if name == "-J" else None
    if found:  # arrays: name[indexes]%limit
        yield f"--array={found[2]}{found[3] or ''}"
        value = found[1]
    if value or not found:
        option = "--ntasks" if name == "-n" and spans else _ROWS[name].names("ours")[-1]
        yield f"{option}={_converted(name, value)}"
    if name in ("-oo", "-eo"):
        yield "--open-mode=truncate"


def _refusal(name: str) -> InputError | NotSupported:
    """Return why an option is not taken."""
    if name in _ACTIONS:
        return InputError(f"{name} is an action of a command, not an option of a job: take it out")
    if name in _ROWS:
        return NotSupported(f"{name} of LSF is not supported yet: {_ROWS[name].why}")
    if not name.startswith("-"):
        return InputError(f"{quote(name)} is no option; write an option and its value, such as -n 4")
    attached = next((each for each in sorted(_TAKEN, key=len, reverse=True) if name.startswith(each)), "")
    if attached and not name[len(attached) :].isalpha():
        value = name[len(attached) :].lstrip("=")
        return InputError(f"unknown option {quote(name)}; write a blank before the value: {attached} {quote(value)}")
    return InputError(f"unknown option {quote(name)}: of LSF's there are {' '.join(_TAKEN)}")


def _converted(name: str, value: str) -> str:
    """Return a value as we write it: LSF's clock is ``hours:minutes``, its export words are small, and
    its ``%J`` is the array's id where there is one."""
    if name == "-W" and value.count(":") == 1:
        return f"{value}:00"
    if name == "-gpu":
        return gpus(value)
    if name in ("-i", "-o", "-e", "-oo", "-eo"):
        return re.sub(r"%(\d*)(.)", lambda found: f"%{found[1]}A" if found[2] == "J" else found[0], value)
    return value.upper() if name == "-env" and value.lower() in ("all", "none") else value
