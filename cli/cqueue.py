"""cqueue: the live queue (reference/cranesched.md section 1.4, documents/job-arrays.txt)."""

from __future__ import annotations

from cli.common import truncation
from cli.common.iterate import add_iterate, repeated
from cli.common.job_filters import add_filters, filters_of
from cli.common.main import run
from cli.common.options import Formats, Parser, add_output_options, ids, number, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from cli.output.arrangement import Arrangement
    from cli.output.render import Field
    from cli.output.table import Answer

    #: ask the gateway: (verb, arguments) -> value
    Ask = Callable[[str, dict[str, Any]], Any]

MAX_LINES = 1000
#: characters of indexes in one id, unless all are wanted
SHORT = 64
#: the variables that say so, the first that is set counts; and the most they take
LENGTHS, MAX_SHORT = ("CQUEUE_BITSTR_LEN", "SLURM_BITSTR_LEN"), 1 << 30


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cqueue", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "cqueue",
        "List jobs that wait or run. Pending elements of an array share a line, such as 36_[5-1024].",
        epilog="environment:\n  CQUEUE_ARRAY        as --array (0 = not)\n"
        "  CQUEUE_BITSTR_LEN   characters of indexes in an id (64; 0 = all)\n\n"
        "examples:\n  cqueue --self\n  cqueue -j 36_[1-3] -o '%j=%t'\n  cqueue -r -t pending --sort=-p,j\n"
        "  cqueue --self --watch\n  cqueue --tree\n",
    )
    add = made.add_argument
    add("-j", "--job", metavar="IDS", help="only these: 12, 12_4, 12_[1-3]")
    add("-s", "--step", metavar="IDS", nargs="?", const="", help="list steps, of these jobs or steps or of all")
    add_filters(made)
    add("-w", "--nodelist", metavar="HOSTS", help="only what runs on these nodes")
    add("-t", "--state", metavar="LIST", help="pending (p), running (r), suspended (s), an end such as failed; or all:"
        " what has ended of late, too")  # fmt: skip
    add("--self", action="store_true", help="only my own jobs")
    add("-S", "--start", action="store_true", help="add the start time, the expected one of what waits")
    add("--deadline", action="store_true", help="add the deadline")
    add("-r", "--array", action="store_true", help="a line for each array element")
    add("--sort", metavar="LIST", help="order by these columns of a format; a '-' before one: from high to low")
    add("--tree", action="store_true", help="what waits stands under what it waits for")
    add("-m", "--max-lines", type=number, metavar="N", help=f"lines at most (default {MAX_LINES}; of --json all): what"
        " waits by priority, what runs, the newest of what has ended; stderr says how many are left out")  # fmt: skip
    add("--ids", action="store_true", help="only ids, one of each array, such as 53_[3,53,103], for other commands")
    add_output_options(made, formats)
    add_iterate(made)
    add("--watch", action="store_true", help="show it again whenever it changes, until Ctrl-C")
    return made


def formats() -> dict[str, Formats]:
    """Return what ``-o`` can show: of jobs, and of steps."""
    from cli.output import queue_columns as columns

    return {"": Formats(columns.DEFAULT, columns.jobs()), "--step": Formats(columns.STEPS, columns.steps())}


def body(argv: list[str]) -> int:
    """Parse, ask, print."""
    options = parser().parse(argv)
    from crane_celery.gateway.client import call

    truncation.max_lines(options.max_lines)
    show = _steps if options.step is not None else _jobs
    if options.watch:
        from cli.common.watch import watched

        return watched(lambda ask: show(options, ask))
    return repeated(options.iterate, lambda: show(options, call))


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    found = filters_of(options)
    if options.state:
        found["states"] = split_list(options.state)
    if options.nodelist:
        found["nodes"] = [options.nodelist]
    if options.self:
        found["self"] = True
    return found


def _jobs(options: argparse.Namespace, ask: Ask) -> int:
    from cli.output import queue_columns as columns
    from cli.output.render import CUT, parse_format, print_lines

    fields = parse_format(_format(options), columns.jobs())  # before asking: a bad format costs nobody anything
    chosen = ids(options.job)
    asked = {**_filters(options), **({"selectors": chosen} if chosen else {})}
    if options.ids:
        from cli.common.ids import print_ids

        return print_ids(options, "jobs", asked, "first")
    if options.json:
        return _json(options, asked, ask)
    from cli.output.table import table

    answer, total, exact = _lines(options, fields, asked, ask)
    print_lines(table(fields, answer, not options.noheader, 0 if options.format or options.full else CUT))
    truncation.tell(answer["count"], total, exact=exact)
    return 0


def _json(options: argparse.Namespace, asked: dict[str, Any], ask: Ask) -> int:
    from cli.output.json_records import elements, job_info
    from cli.output.render import print_json

    limit, each = options.max_lines or 0, _one_per_element(options)
    answer = ask("jobs", {**asked, "count": True, "limit": 0 if each else limit})
    rows = answer["rows"]
    if each:
        answer = {**answer, "total": answer["total"] + sum(row["count"] - 1 for row in rows)}
        rows = elements(rows, limit or MAX_LINES)
    infos = [job_info(row) for row in rows]
    print_json({"ok": True, "job_info_list": infos, **truncation.left_out(len(infos), answer)})
    return 0


def _lines(
    options: argparse.Namespace, fields: list[Field], asked: dict[str, Any], ask: Ask
) -> tuple[Answer, int, bool]:
    """Return the lines to show, how many there are, and whether that is exact."""
    how = _arrangement(options)
    keys = {key for field in fields if field.column for key in field.column.keys}
    keys |= how.needs() | ({"id"} if options.start else set())
    asked = {**asked, "columns": sorted(keys), "cut": 0 if how.each else _short(options)}
    answer = ask("jobs", asked if how.whole else {**asked, "limit": how.limit})
    total, exact = answer["elements" if how.each else "total"], answer["exact"]
    if options.start:
        answer = _with_starts(answer, asked, ask)
    return how.of(answer), total, exact


def _arrangement(options: argparse.Namespace) -> Arrangement:
    """Return how the lines are arranged. Raises InputError for a column that there is not."""
    from cli.output.arrangement import Arrangement

    order: list[tuple[str, bool]] = []
    if options.sort:
        from cli.output import queue_columns
        from cli.output.order import sort_keys

        order = sort_keys(options.sort, queue_columns.jobs())
    return Arrangement(options.max_lines or MAX_LINES, _one_per_element(options), tuple(order), options.tree)


def _with_starts(answer: Answer, asked: dict[str, Any], ask: Ask) -> Answer:
    """With the expected start of what waits, where the scheduler knows it."""
    from cli.output.table import values
    from crane_celery.errors import CraneError

    try:
        starts: dict[str, float] = ask("start", {"selectors": asked.get("selectors", "")})
    except CraneError:
        return answer  # a scheduler that is away leaves them unknown
    pairs = zip(values(answer, "began_at"), values(answer, "id"), strict=True)
    began = [at or starts.get(str(id), 0.0) for at, id in pairs]
    same = {key: value for key, value in answer["same"].items() if key != "began_at"}
    return {**answer, "same": same, "each": {**answer["each"], "began_at": began}}


def _format(options: argparse.Namespace) -> str:
    from cli.output import queue_columns as columns

    if options.format:
        return str(options.format)
    if options.full:
        return columns.FULL
    added = (
        ("%S", options.start),
        ("%q", options.qos),
        ("%deadline", options.deadline),
        ("%licenses", options.licenses),
    )
    return " ".join([columns.DEFAULT, *(name for name, given in added if given)])


def _one_per_element(options: argparse.Namespace) -> bool:
    import os

    said = os.environ.get("CQUEUE_ARRAY") or os.environ.get("SQUEUE_ARRAY") or "no"
    return bool(options.array) or said.lower() not in ("0", "no", "false", "off")


def _short(options: argparse.Namespace) -> int:
    """Return how many characters of indexes an id shows at most, 0 = all. InputError where a variable is no such
    number."""
    import os

    name = next((each for each in LENGTHS if os.environ.get(each)), "")
    if options.full or not name:
        return 0 if options.full else SHORT
    from crane_celery.errors import InputError
    from crane_celery.grammar._lex import quote, whole

    length = whole(os.environ[name], MAX_SHORT)
    if length is None:
        said = f"{name}={quote(os.environ[name])} is not a number of characters"
        raise InputError(f"{said}: set it to such as 64 (0 = all indexes), or unset it")
    return length


def _steps(options: argparse.Namespace, ask: Ask) -> int:
    from cli.output import queue_columns as columns
    from cli.output.render import CUT, parse_format, print_json, print_lines
    from cli.output.table import lines

    usual = columns.FULL_STEPS if options.full else columns.STEPS
    fields = parse_format(options.format or usual, columns.steps(), dot_right=False)
    asked = _filters(options)
    wanted = options.step or options.job
    rows = ask("steps", {**asked, **({"selectors": wanted} if wanted else {})})
    shown = rows[: options.max_lines or (None if options.json else MAX_LINES)]
    if options.json:
        from cli.output.json_records import step_info

        infos = [step_info(row) for row in shown]
        print_json({"ok": True, "step_info_list": infos, **truncation.left_out(len(shown), {"total": len(rows)})})
        return 0
    print_lines(lines(fields, shown, not options.noheader, 0 if options.format or options.full else CUT))
    truncation.tell(len(shown), len(rows), which="newest", what="steps")
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
