"""``--export``: which variables of the caller's environment travel with a job.

``ALL`` (default) all of them; ``NONE`` and ``NIL`` none (with NONE the node makes a login environment, with NIL it does
not); a list ``A=1,B`` only those, with ``ALL`` in the list those on top of all. Variables beginning with ``CRANE_``
travel in every case. The words may be in lower case, as in Slurm. A value with commas is quoted as a whole,
``A='x,y'``; quotes inside a value are part of it. A
name without a value that the caller does not have is skipped, as in Slurm.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ITEM = r"""(?s)([^=,]*)(=(?:'[^']*'|"[^"]*"|[^,'"][^,]*)?)?(,|\Z)"""
_NAME = r"(?a)[A-Za-z_][A-Za-z0-9_]*"
_ALONE = ("NONE", "NIL")
_HOW = "write ALL, NONE, NIL or a list such as ALL,A=1,B"


def apply_export(text: str, environ: Mapping[str, str], named: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that travel, out of the caller's ``environ``; InputError when the list is malformed.

    ``named``: where a name that the list mentions is looked up, if not there.
    """
    items = [] if text.upper() in _ALONE else _items(text)
    everything = ("ALL", None) in items
    chosen = {name: value for name, value in environ.items() if everything or name.startswith("CRANE_")}
    for name, value in items:
        if (name, value) == ("ALL", None):
            continue
        if value is not None:
            chosen[name] = value
        elif name in (known := environ if named is None else named):
            chosen[name] = known[name]
    return chosen


def wants_user_env(text: str) -> bool:
    """Return whether the node is to make a login environment: ``NONE`` behaves like --get-user-env alone."""
    return text.upper() == "NONE"


def _items(text: str) -> list[tuple[str, str | None]]:
    """The list's names, with their values where written."""
    items: list[tuple[str, str | None]] = []
    at, comma = 0, ","
    while comma:
        match = re.compile(_ITEM).match(text, at)
        if not match or not re.fullmatch(_NAME, match[1]):
            raise InputError(f"bad export {quote(text)}: {_HOW}")
        if match[1].upper() in _ALONE and match[2] is None:
            raise InputError(f"bad export {quote(text)}: {match[1]} stands alone; {_HOW}")
        value = None if match[2] is None else match[2][1:]
        name = "ALL" if value is None and match[1].upper() == "ALL" else match[1]
        if value and value[0] in "'\"":
            value = value[1:-1]
        if value and "\0" in value:
            raise InputError(f"bad export {quote(text)}: take out the NUL character")
        items.append((name, value))
        at, comma = match.end(), match[3]
    return items
