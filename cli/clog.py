"""clog: the output of jobs, elements and steps, wherever it lies in this host's reach; opened as the caller."""

from __future__ import annotations

import sys

from cli.common.main import complain, run
from cli.common.options import Parser
from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


_NOT_SHOWN = 4
_PRIMARY = 1


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("clog", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "clog",
        "Show the output of jobs, elements or steps, of those that run and of those that ended. Several are shown under"
        " a header each.",
        usage="clog [options] ID[,ID...] ...",
        epilog="examples:\n  clog 12\n  clog -f 12\n  clog -n 20 --err 36_[1-3]\n",
    )
    add = made.add_argument
    add("ids", nargs="+", metavar="ID", help="jobs, elements or steps: 12, 36_4, 36_[1-3], 12.1")
    add("-f", "--follow", action="store_true", help="go on as more is written, until the jobs have ended; what has not"
        " started is awaited")  # fmt: skip
    add("-n", "--lines", metavar="N", help="only the last N lines of what is there")
    add("-e", "--err", action="store_true", help="standard error instead of standard output")
    add("--json", action="store_true", help="where it lies, and the text, in one line of JSON")
    return made


def body(argv: list[str]) -> int:
    """Parse, ask where it lies, show; 4 when something could not be shown."""
    options = parser().parse(argv)
    from cli.common import tail

    chosen = selectors(",".join(options.ids))
    lines = count(options.lines)
    if options.json:
        if options.follow:
            raise InputError("--json answers once: leave --follow out")
        return _as_json(_ask(chosen), options.err, lines)
    if options.follow:
        failed = tail.follow(chosen, lambda: _ask(chosen), options.err, lines)
    else:
        failed = tail.show(_ask(chosen), options.err, lines)
    for why in failed:
        complain(f"clog: {why}")
    return _NOT_SHOWN if failed else 0


def selectors(text: str) -> list[str]:
    """The jobs that ids mean. A step writes to its job's output, or where its crun said: that is told."""
    from crane_celery.grammar.selector import format_selector, parse_selectors

    found: list[str] = []
    for each in parse_selectors(text):
        job = format_selector(each._replace(step=None))
        if each.step is not None and each.step != _PRIMARY:
            complain(f"clog: {format_selector(each)} wrote where its crun's -o says; without one, here: {job}'s", "33")
        if job not in found:
            found.append(job)
    return found


def count(text: str | None) -> int | None:
    """A number of lines. Raises InputError."""
    from crane_celery.grammar._lex import whole

    if text is None:
        return None
    number = whole(text, 10**9)
    if number is None:
        raise InputError(f"--lines: {text[:60]!r} is not a number of lines")
    return number


def _ask(chosen: Sequence[str]) -> list[dict[str, Any]]:
    from crane_celery.gateway.client import call

    rows: list[dict[str, Any]] = call("output", {"selectors": ",".join(chosen)})
    return rows


def _as_json(rows: Sequence[dict[str, Any]], error: bool, lines: int | None) -> int:
    import os

    from cli.output.render import print_json
    from crane_celery import outputs
    from crane_celery.errors import CraneError

    found: list[dict[str, Any]] = []
    for row in rows:
        entry = {"job_id": row["id"], "jobid": row["jobid"], "status": row["state"], "run": row["run"]}
        entry.update(node=row["node"], host=row["host"], path=outputs.path_of(row, error))
        try:
            entry["text"] = os.fsdecode(outputs.read(row, error, lines))
        except CraneError as fault:
            entry["reason"] = fault.message
        found.append(entry)
    missing = any("reason" in entry for entry in found)
    print_json({"ok": not missing, "output_info_list": found})
    return _NOT_SHOWN if missing else 0


if __name__ == "__main__":
    sys.exit(main())
