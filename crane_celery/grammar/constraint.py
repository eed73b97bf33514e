"""Constraints: which features a node must have, ``a&b`` (both), ``a|b`` (either), with brackets, ``&`` before ``|``.

A ``,`` is an ``&``, as in Slurm. The value is a choice of sets, each of which is enough.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

#: any one of these sets of features is enough
Constraint = tuple[frozenset[str], ...]

_TOKEN = r"(?a)\s*([A-Za-z0-9_][A-Za-z0-9_.:=+-]*|[&,|()])\s*"
#: sets that a constraint may come to when it is multiplied out
_MAX_SETS = 256
#: brackets, and so how deep one is in another
_MAX_BRACKETS = 50
_HOW = "write features joined by & (both) or | (either), such as 'ssd&(skylake|zen4)'"


def parse_constraint(text: str) -> Constraint:
    """Read a constraint; InputError when malformed or of more than 256 alternatives."""
    if text.count("(") > _MAX_BRACKETS:
        raise InputError(f"constraint {quote(text)} has over {_MAX_BRACKETS} brackets: write a simpler one")
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = re.compile(_TOKEN).match(text, at)
        if not match:
            raise InputError(f"bad constraint {quote(text)}: {_HOW}")
        tokens.append("&" if match[1] == "," else match[1])
        at = match.end()
    found = _either(tokens, text)
    if tokens:
        raise InputError(f"bad constraint {quote(text)}: {_HOW}")
    return tuple(sorted(_least(found), key=sorted))


def format_constraint(constraint: Constraint) -> str:
    """The canonical text; parses back to the same."""
    return "|".join("&".join(sorted(each)) for each in constraint)


def satisfies(features: Collection[str], constraint: Constraint) -> bool:
    """Return whether a node with these features will do."""
    return any(each <= set(features) for each in constraint)


def _either(tokens: list[str], text: str) -> set[frozenset[str]]:
    """Parts joined by ``|``, taken off the front of ``tokens``."""
    found = _both(tokens, text)
    while tokens[:1] == ["|"]:
        del tokens[0]
        found |= _both(tokens, text)
        if len(found) > _MAX_SETS:
            raise _too_many(text)
    return found


def _both(tokens: list[str], text: str) -> set[frozenset[str]]:
    """Parts joined by ``&``, taken off the front of ``tokens``."""
    found = _one(tokens, text)
    while tokens[:1] == ["&"]:
        del tokens[0]
        others = _one(tokens, text)
        if len(found) * len(others) > 4 * _MAX_SETS:  # before they are made
            raise _too_many(text)
        found = _least({one | other for other in others for one in found})
        if len(found) > _MAX_SETS:
            raise _too_many(text)
    return found


def _too_many(text: str) -> InputError:
    """The error of a constraint that is too large multiplied out."""
    return InputError(f"constraint {quote(text)} has over {_MAX_SETS} alternatives: write a simpler one")


def _one(tokens: list[str], text: str) -> set[frozenset[str]]:
    """A feature, or something in brackets."""
    first = tokens.pop(0) if tokens else ""
    if first == "(":
        found = _either(tokens, text)
        if tokens[:1] != [")"]:
            raise InputError(f"bad constraint {quote(text)}: a bracket is left open; close it")
        del tokens[0]
        return found
    if not first or first in "&|)":
        raise InputError(f"bad constraint {quote(text)}: {_HOW}")
    return {frozenset((first,))}


def _least(sets: set[frozenset[str]]) -> set[frozenset[str]]:
    """Without those that ask for more than another one."""
    return {each for each in sets if not any(other < each for other in sets)}
