"""``-i N``: show a listing again every N seconds, each time under the moment it was made."""

from __future__ import annotations

from cli.common.options import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.common.options import Parser

#: seconds: a year; a few hundred of them are more than the kernel sleeps
_LONGEST_S = 365 * 86400


def add_iterate(parser: Parser) -> None:
    """The option."""
    parser.add_argument("-i", "--iterate", type=number, metavar="N", help="show it again every N seconds, until Ctrl-C")


def repeated(seconds: int | None, show: Callable[[], int]) -> int:
    """``show`` once (None), or for ever. Raises InputError, and what ``show`` raises."""
    if seconds is None:
        return show()
    if not 1 <= seconds <= _LONGEST_S:
        from crane_celery.errors import InputError

        raise InputError(f"--iterate: {seconds} is not a number of seconds from 1 to {_LONGEST_S}")
    import sys
    import time

    from cli.common.main import say

    while True:
        say(time.strftime("%Y-%m-%d %H:%M:%S"))
        show()
        sys.stdout.flush()
        time.sleep(seconds)
