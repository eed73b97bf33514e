"""cqueue: the live queue (reference/cranesched.md section 1.4, documents/job-arrays.txt)."""

from __future__ import annotations

from cli._iterate import add_iterate, repeated
from cli._main import complain, run
from cli._options import Parser, add_output_options, ids, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from cli._render import Column

MAX_LINES = 1000
DEFAULT = "%j %P %n %u %a %t %T %e %l %N %L"
FULL = "%j %n %u %P %a %N %C %M %c %m %t %e %l %S %s %T %q %X %h %p %L"
STEPS = "%i %n %P %u %e %L"


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cqueue", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "cqueue",
        "List jobs that wait or run. Pending elements of an array share a line, such as 36_[5-1024].",
        epilog="examples:\n  cqueue --self\n  cqueue -j 36_[1-3] -o '%j=%t'\n  cqueue -r -t pending\n",
    )
    add = made.add_argument
    add("-j", "--job", metavar="IDS", help="only these: 12, 12_4, 12_[1-3]")
    add("-s", "--step", metavar="IDS", nargs="?", const="", help="list steps, of these jobs or steps or of all")
    add("-n", "--name", metavar="LIST", help="only jobs of these names")
    add("-q", "--qos", metavar="LIST", help="only these QoS")
    add("-u", "--user", metavar="LIST", help="only these users' jobs")
    add("-A", "--account", metavar="LIST", help="only these accounts")
    add("-p", "--partition", metavar="LIST", help="only these partitions")
    add("-w", "--nodelist", metavar="HOSTS", help="only what runs on these nodes")
    add("-t", "--state", metavar="LIST", help="pending (p), running (r), suspended (s), all; with -j ended states too")
    add("--type", metavar="LIST", help="Interactive, Batch, Container; there are only Batch jobs so far")
    add("--self", action="store_true", help="only my own jobs")
    add("-S", "--start", action="store_true", help="add the start time")
    add("-r", "--array", action="store_true", help="a line for each array element (CRANE: $CQUEUE_ARRAY)")
    add("-m", "--max-lines", type=int, default=MAX_LINES, metavar="N", help=f"lines at most (default {MAX_LINES})")
    add_output_options(made)
    add_iterate(made)
    made.later("-L", "--licenses")
    made.later("--deadline", takes_value=False)
    return made


def body(argv: list[str]) -> int:
    """Parse, ask, print."""
    options = parser().parse(argv)
    if options.max_lines < 1:
        from crane_celery.errors import InputError

        raise InputError(f"--max-lines: {options.max_lines} is not a number from 1")
    return repeated(options.iterate, lambda: _steps(options) if options.step is not None else _jobs(options))


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    named = {
        "names": options.name,
        "qos": options.qos,
        "users": options.user,
        "accounts": options.account,
        "partitions": options.partition,
        "states": options.state,
    }
    found: dict[str, Any] = {key: split_list(value) for key, value in named.items() if value}
    if options.nodelist:
        found["nodes"] = [options.nodelist]
    if options.self:
        found["self"] = True
    return found


def _jobs(options: argparse.Namespace) -> int:
    from cli._render import CUT, parse_format, print_json, print_lines
    from crane_celery.gateway.client import call

    fields = parse_format(_format(options), columns())  # before asking: a bad format costs nobody anything
    chosen = ids(options.job)
    asked = {**_filters(options), **({"selectors": chosen} if chosen else {})}
    if options.json:
        print_json({"ok": True, "job_info_list": [job_info(row) for row in call("jobs", asked)]})
        return 0
    from cli._table import first, table, unfolded, values

    keys = {key for field in fields if field.column for key in field.column.keys}
    limit = options.max_lines
    answer = call("jobs", {**asked, "limit": limit + 1, "columns": sorted(keys | {"job", "jobid", "indexes", "count"})})
    total = answer["count"]
    if _one_per_element(options):
        total = sum(values(answer, "count"))
        answer = unfolded(answer, limit)
    elif total > limit:
        answer = first(answer, limit)
    cut = 0 if options.format or options.full else CUT
    print_lines(table(fields, answer, not options.noheader, cut))
    if total > limit:
        complain(f"only the first {limit} lines are shown; see --max-lines", "")
    return 0


def _format(options: argparse.Namespace) -> str:
    if options.format:
        return str(options.format)
    if options.full:
        return FULL
    return f"{DEFAULT}{' %S' if options.start else ''}{' %q' if options.qos else ''}"


def _one_per_element(options: argparse.Namespace) -> bool:
    import os

    return bool(options.array or os.environ.get("CQUEUE_ARRAY") or os.environ.get("SQUEUE_ARRAY"))


def _steps(options: argparse.Namespace) -> int:
    from cli._render import CUT, lines, parse_format, print_json, print_lines
    from crane_celery.gateway.client import call

    fields = parse_format(options.format or STEPS, step_columns(), dot_right=False)
    asked = _filters(options)
    wanted = options.step or options.job
    rows = call("steps", {**asked, **({"selectors": wanted} if wanted else {})})
    if options.json:
        print_json({"ok": True, "step_info_list": rows})
        return 0
    cut = 0 if options.format or options.full else CUT
    print_lines(lines(fields, rows[: options.max_lines], not options.noheader, cut))
    return 0


def columns() -> dict[str, Column]:
    """The columns of jobs by the names of a format."""
    from cli import _columns as cell
    from cli._render import Column
    from cli._table import Text

    def text(header: str, key: str) -> Column:
        return Column(header, Text(key), (key,))

    def made_of(header: str, key: str, show: Callable[[Any], str]) -> Column:
        return Column(header, lambda row: show(row[key]), (key,))

    def or_dash(value: Any) -> str:
        return value or "-"

    made = {
        "j": text("JOBID", "jobid"),
        "F": text("ARRAYJOBID", "job"),
        "K": made_of("ARRAYTASKID", "indexes", lambda indexes: indexes or "N/A"),
        "P": text("PARTITION", "partition"),
        "n": text("NAME", "name"),
        "u": text("USER", "user"),
        "U": text("UID", "uid"),
        "a": made_of("ACCOUNT", "account", or_dash),
        "t": text("STATUS", "state"),
        "T": Column("TYPE", lambda _row: "Batch"),
        "e": Column("TIME", cell.elapsed, ("elapsed",)),
        "l": made_of("TIMELIMIT", "time_limit", cell.duration),
        "N": text("NODES", "nodes"),
        "L": Column("NODELIST/REASON", cell.where_or_why, ("state", "reason", "nodelist")),
        "R": text("REASON", "reason"),
        "S": made_of("STARTTIME", "began_at", cell.when),
        "s": made_of("SUBMITTIME", "submitted_at", cell.when),
        "q": made_of("QOS", "qos", or_dash),
        "k": text("COMMENT", "comment"),
        "p": made_of("PRIORITY", "priority", cell.cpus),
        "c": made_of("ALLOCCPUS", "alloc_cpus", cell.cpus),
        "C": made_of("REQCPUS", "req_cpus", cell.cpus),
        "m": made_of("ALLOCMEMPERNODE", "alloc_memory", cell.memory),
        "M": made_of("REQMEMPERNODE", "req_memory", cell.memory),
        "Q": Column(
            "REQCPUPERTASK", lambda row: cell.cpus(row["req_cpus"] / max(1, row["ntasks"])), ("req_cpus", "ntasks")
        ),
        "h": made_of("HELD", "held", cell.yes),
        "X": made_of("EXCLUSIVE", "exclusive", cell.yes),
        "o": text("COMMAND", "command"),
        "r": made_of("REQNODES", "req_nodelist", cell.hosts_or_none),
        "x": made_of("EXCLUDENODES", "exclude", cell.hosts_or_none),
        "wckey": text("WCKEY", "wckey"),
    }
    long = {"arrayjobid": "F", "arraytaskid": "K", "jobid": "j", "state": "t", "name": "n", "reason": "R"}
    return {**made, **{name: made[letter] for name, letter in long.items()}}


def step_columns() -> dict[str, Column]:
    """The columns of steps."""
    from cli import _columns as cell
    from cli._render import Column

    def text(key: str) -> Any:
        return lambda row: str(row[key])

    return {
        "i": Column("STEPID", text("stepid")),
        "j": Column("JOBID", text("jobid")),
        "n": Column("NAME", text("name")),
        "P": Column("PARTITION", text("partition")),
        "u": Column("USER", text("user")),
        "U": Column("UID", text("uid")),
        "e": Column("TIME", cell.elapsed),
        "L": Column("NODELIST", lambda row: cell.hosts(row["nodelist"])),
        "t": Column("STATUS", text("state")),
        "l": Column("TIMELIMIT", lambda row: cell.duration(row["time_limit"])),
        "N": Column("NODES", text("nodes")),
        "a": Column("ACCOUNT", text("account")),
        "q": Column("QOS", text("qos")),
        "o": Column("COMMAND", text("command")),
    }


def job_info(row: dict[str, Any]) -> dict[str, Any]:
    """A row under the field names of ``--json`` (reference/cranesched.md section 0.4)."""
    from cli._jsoninfo import job_info as made

    return made(row)


if __name__ == "__main__":
    import sys

    sys.exit(main())
