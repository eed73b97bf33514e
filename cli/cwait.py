"""cwait: block until jobs have ended, and exit as they did."""

from __future__ import annotations

import sys

from cli.common.main import run
from cli.common.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: as timeout(1) says it
_TIMED_OUT = 124


class _TimeIsUp(BaseException):
    """The time given with --timeout is over; nothing on the way up takes it for an error of its own."""


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cwait", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "cwait",
        "Wait until all these jobs have ended. Exits with the highest of their exit codes, a signal being 128 and its"
        " number. Nothing is polled: the gateway tells.",
        usage="cwait [options] ID[,ID...] ...",
        epilog="examples:\n  cwait 12 13\n  cwait 36_[1-3] && echo all three went well\n  cwait --timeout 90s 12\n",
    )
    add = made.add_argument
    add("ids", nargs="+", metavar="ID", help="jobs or elements, separated by commas or blanks; an array is all of it")
    add(
        "--timeout",
        metavar="TIME",
        help=f"give up after so long (30 = minutes, 90s, 1:00:00) and exit with {_TIMED_OUT}",
    )
    add("-q", "--quiet", action="store_true", help="no progress on a terminal")
    add("--json", action="store_true", help="print the stored exit codes in one line of JSON")
    return made


def body(argv: list[str]) -> int:
    """Parse, wait, exit as the jobs did."""
    options = parser().parse(argv)
    from cli.common.wait import exit_code, follow_to_end
    from crane_celery.errors import InputError
    from crane_celery.grammar.selector import format_selector, parse_selectors

    chosen = parse_selectors(",".join(options.ids))
    for each in chosen:
        if each.step is not None:
            raise InputError(
                f"{format_selector(each)} is a step: wait for its job, {format_selector(each._replace(step=None))}"
            )
    _limit(options.timeout)
    try:
        ids = [format_selector(each) for each in chosen]
        codes = follow_to_end("cwait", ids, "" if options.quiet else "waiting")
    except _TimeIsUp:
        from cli.common.main import complain

        complain(f"cwait: not all have ended within {options.timeout}", "33")
        return _TIMED_OUT
    if options.json:
        from cli.output.render import print_json

        print_json({"ok": True, "exit_codes": codes})
    if sys.stderr.isatty() and not options.quiet:
        from cli.common.wait_report import tell_failed

        tell_failed("cwait", codes)
    return max(map(exit_code, codes.values()))


def _limit(text: str | None) -> None:
    """Have _TimeIsUp raised when the time is over. Raises InputError for what is no time."""
    if text is None:
        return
    from crane_celery.errors import InputError
    from crane_celery.grammar.duration import parse_duration

    seconds = parse_duration(text)
    if seconds is not None and seconds < 1:
        raise InputError(f"--timeout: {text!r} is no time to wait: write one of a second or more")
    if seconds is not None:
        import signal

        signal.signal(signal.SIGALRM, _time_is_up)
        signal.alarm(min(seconds, 2**31 - 1))


def _time_is_up(*_: Any) -> NoReturn:
    raise _TimeIsUp


if __name__ == "__main__":
    sys.exit(main())
