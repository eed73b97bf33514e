"""Names people give: jobs, accounts and the like; and the hint of a near miss.

A job's name is passed on exactly as given (quotes, blanks, any script), except what would break every listing and every
environment: line breaks, NUL and the control characters that a terminal obeys. Listings cut it, nothing else does.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: bytes in UTF-8
MAX_JOB_NAME = 1024
#: characters; an address of mail fits
MAX_ENTITY_NAME = 255
#: so many names are listed in a message
FEW = 10
_ENTITY = r"(?a)[A-Za-z0-9][A-Za-z0-9_.@-]*"


def check_job_name(name: str) -> str:
    """The name itself; InputError when it has a line break, a control character but a tab, bytes that are no UTF-8, or
    over 1,024 bytes."""
    if any(char in name for char in "\0\n\r\u2028\u2029"):
        raise InputError(f"bad job name {quote(name)}: take out the line break or NUL character")
    if any((char < " " and char != "\t") or "\x7f" <= char < "\xa0" for char in name):
        raise InputError(f"bad job name {quote(name)}: take out the control character")
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise InputError(f"bad job name {quote(name)}: it is not valid UTF-8; write it in UTF-8")
    size = len(name.encode())
    if size > MAX_JOB_NAME:
        raise InputError(f"job name {quote(name)} has {size} bytes: shorten it to {MAX_JOB_NAME}")
    return name


def check_entity_name(name: str, what: str = "account") -> str:
    """The name itself of an account, user or QoS (``what``); InputError when it is not one or is the word ``ALL``."""
    if not re.fullmatch(_ENTITY, name) or len(name) > MAX_ENTITY_NAME or name.upper() == "ALL":
        raise InputError(
            f"bad {what} name {quote(name)}: use up to {MAX_ENTITY_NAME} letters, digits and any of _ - . @,"
            " a letter or digit first, and not ALL"
        )
    return name


def instead(word: str, choices: Iterable[str], where: str = "") -> str:
    """The hint of a near miss, else what there is: all of a few, and of many ``where`` they are seen."""
    known = sorted(choices)
    if hint := did_you_mean(word, known):
        return hint
    if len(known) > FEW:
        return f": see {where}" if where else f": there are {', '.join(known[:FEW])} and {len(known) - FEW} more"
    return f": there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest of ``choices``, or nothing when none is near.

    Case is ignored, and so are the dashes before an option: what all have in common makes none of them likely.
    """
    from difflib import get_close_matches

    by_lower = {choice.lower().lstrip("-"): choice for choice in choices}
    near = get_close_matches(word.lower().lstrip("-")[:100], by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
