"""Signals by name or number, and the ``--signal`` language: ``[R:|B:]SIGNAL[@seconds]``, a comma list.

Names may carry ``SIG`` and any case. The table is Linux's for x86 and ARM, written down here since the standard module
costs more to import than the rest of a command and describes the submitting host, not the node.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: seconds before the time limit when ``@seconds`` is not written
DEFAULT_BEFORE_S = 60
MAX_SIGNAL = 64
#: seconds before the limit at most: a year
MAX_BEFORE_S = 31_536_000
_TABLE = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG"
    " XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NAMES = tuple(_TABLE.split())
_NUMBERS = {name: number for number, name in enumerate(_NAMES, 1)}
_ITEM = r"(?a)(?:([RB]):)?([A-Za-z0-9]+)(?:@(\d+))?"


class SignalSpec(NamedTuple):
    """One signal to send before a job's time limit."""

    #: the signal's number
    number: int
    #: how long before the limit, in seconds
    before_s: int
    #: 'B' = the script's own process alone; '' = the steps that run then, or all processes of a script without steps;
    #: 'R' = as '', for Slurm's sake
    scope: str


def signal_number(text: str) -> int:
    """The number of ``USR1``, ``sigusr1`` or ``10``; InputError when there is no such signal."""
    number = whole(text, MAX_SIGNAL)
    name = text.upper().removeprefix("SIG")
    if number is None:
        number = _NUMBERS.get(name)
    if not number:
        from crane_celery.grammar.names import did_you_mean

        hint = did_you_mean(name, _NUMBERS) or f": write a name such as TERM, or a number from 1 to {MAX_SIGNAL}"
        raise InputError(f"unknown signal {quote(text)}{hint}")
    return number


def signal_name(number: int) -> str:
    """The name without SIG, such as ``TERM``; the number itself where Linux has no name for it."""
    return _NAMES[number - 1] if 1 <= number <= len(_NAMES) else str(number)


def parse_signals(text: str) -> tuple[SignalSpec, ...]:
    """Read a ``--signal`` value; InputError when malformed or a signal is unknown."""
    return tuple(_parse_item(item, text) for item in text.split(","))


def format_signals(specs: tuple[SignalSpec, ...]) -> str:
    """The canonical text; parses back to the same."""
    return ",".join(
        f"{spec.scope}{':' if spec.scope else ''}{signal_name(spec.number)}@{spec.before_s}" for spec in specs
    )


def _parse_item(item: str, text: str) -> SignalSpec:
    """One ``[R:|B:]SIGNAL[@seconds]``; ``text`` is the whole value, for the message."""
    match = re.fullmatch(_ITEM, item)
    before = whole(match[3] or str(DEFAULT_BEFORE_S)) if match else None
    if not match or before is None:
        raise InputError(f"bad signal {quote(item)} in {quote(text)}: write such as USR1@60, B:TERM or 15@10,HUP")
    if before > MAX_BEFORE_S:
        raise InputError(f"bad signal {quote(item)}: write at most {MAX_BEFORE_S} seconds before the limit, a year")
    return SignalSpec(signal_number(match[2]), before, match[1] or "")
