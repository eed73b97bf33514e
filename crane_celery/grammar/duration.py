"""Time spans: limits, relative times and dependency delays, all in whole seconds.

Accepted are CraneSched's and Slurm's forms together: a bare number is minutes, ``MM:SS``, ``H:MM:SS``, ``D-H``,
``D-H:M``, ``D-H:M:S``, and unit words (``90m``, ``1h30m``, ``2weeks``), case-insensitive. Fields are not checked for
range (``0:90:0`` is 90 minutes), as in CraneSched. ``unlimited`` and ``infinite`` are None; ``-1`` is refused, since a
negative limit is more likely a slip of a script's arithmetic than a wish for no limit.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole

#: spans from here on (10,000 years of 365.25 days) are shown as, and must be written as, ``unlimited``
FOREVER_S = 315_576_000_000
_UNITS = {
    name: seconds
    for seconds, names in (
        (1, "s sec second seconds"),
        (60, "m min minute minutes"),
        (3600, "h hour hours"),
        (86400, "d day days"),
        (604800, "w week weeks"),
    )
    for name in names.split()
}
_COMPOUND = r"(?a)(?:\d+[a-z]+)+"
_PART = r"(?a)(\d+)([a-z]+)"
_CLOCK = r"(?a)(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?"
_HOW = "write minutes, MM:SS, H:MM:SS, D-H:MM:SS, units such as 1h30m, or unlimited"


def parse_duration(text: str) -> int | None:
    """Seconds, or None for no limit; InputError for anything that is not a time span."""
    lower = text.lower()
    if lower in ("unlimited", "infinite"):
        return None
    seconds = compound(lower)
    if seconds is None:
        seconds = _clock(text)
    if seconds is None:
        raise InputError(f"bad time span {quote(text)}: {_HOW}")
    if seconds >= FOREVER_S:
        raise InputError(f"time span {quote(text)} is too long: write unlimited for no limit")
    return seconds


def parse_delay(text: str) -> int:
    """Seconds of a dependency's delay: a bare number (minutes) or unit words; InputError for anything else."""
    minutes = whole(text)
    seconds = compound(text.lower()) if minutes is None else minutes * 60
    if seconds is None or seconds >= FOREVER_S:
        raise InputError(f"bad delay {quote(text)}: write minutes, or units such as 90m, 1h30m or 2s")
    return seconds


def format_duration(seconds: int | None) -> str:
    """``HH:MM:SS`` or ``D-HH:MM:SS``; ``unlimited`` for None and for 10,000 years and more."""
    if seconds is None or seconds >= FOREVER_S:
        return "unlimited"
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock


def format_units(seconds: int) -> str:
    """Unit words without weeks, such as ``1d2h``, ``90s`` as ``1m30s``, ``0s``; read back by both parsers."""
    days, rest = divmod(seconds, 86400)
    parts = ((days, "d"), (rest // 3600, "h"), (rest // 60 % 60, "m"), (rest % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def compound(text: str) -> int | None:
    """Seconds of lower-case unit words (``1h30m``), or None when the text is something else."""
    if not re.fullmatch(_COMPOUND, text):
        return None
    total = 0
    for digits, unit in re.findall(_PART, text):
        number = whole(digits)
        if number is None or unit not in _UNITS:
            return None
        total += number * _UNITS[unit]
    return total


def _clock(text: str) -> int | None:
    """Seconds of the forms with colons, with days, or of a bare number, or None."""
    match = re.fullmatch(_CLOCK, text)
    if not match:
        return None
    numbers = [None if field is None else whole(field) for field in match.groups()]
    if any(number is None and field is not None for number, field in zip(numbers, match.groups(), strict=True)):
        return None
    days, first, second, third = numbers
    first = first or 0
    if days is not None or third is not None:
        return (days or 0) * 86400 + first * 3600 + (second or 0) * 60 + (third or 0)
    return first * 60 + (second or 0)
