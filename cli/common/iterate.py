"""``-i N``: show a listing again every N seconds, each time under the moment it was made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.common.options import Parser


def add_iterate(parser: Parser) -> None:
    """The option."""
    parser.add_argument("-i", "--iterate", type=int, metavar="N", help="show it again every N seconds, until Ctrl-C")


def repeated(seconds: int | None, show: Callable[[], int]) -> int:
    """``show`` once (None), or for ever. Raises InputError, and what ``show`` raises."""
    if seconds is None:
        return show()
    if seconds < 1:
        from crane_celery.errors import InputError

        raise InputError(f"--iterate: {seconds} is not a number of seconds from 1")
    import sys
    import time

    from cli.common.main import say

    while True:
        say(time.strftime("%Y-%m-%d %H:%M:%S"))
        show()
        sys.stdout.flush()
        time.sleep(seconds)
