"""cqueue: the live queue (reference/cranesched.md section 1.4, documents/job-arrays.txt)."""

from __future__ import annotations

from cli._main import complain, run
from cli._options import Parser, add_output_options, ids, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping
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
    made.later("-i", "--iterate")
    made.later("-L", "--licenses")
    made.later("--deadline", takes_value=False)
    return made


def body(argv: list[str]) -> int:
    """Parse, ask, print."""
    options = parser().parse(argv)
    if options.max_lines < 1:
        from crane_celery.errors import InputError

        raise InputError(f"--max-lines: {options.max_lines} is not a number from 1")
    return _steps(options) if options.step is not None else _jobs(options)


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
    from cli._render import CUT, lines, parse_format, print_json, print_lines
    from crane_celery.gateway.client import call

    fields = parse_format(_format(options), columns())  # before asking: a bad format costs nobody anything
    limit = 0 if options.json else options.max_lines + 1
    chosen = ids(options.job)
    asked = {**_filters(options), "limit": limit, **({"selectors": chosen} if chosen else {})}
    rows = call("jobs", asked)
    if options.json:
        print_json({"ok": True, "job_info_list": [job_info(row) for row in rows]})
        return 0
    cut = 0 if options.format or options.full else CUT
    unfold = elements if _one_per_element(options) else None
    total = sum(row["count"] for row in rows) if unfold else len(rows)
    if unfold:
        rows = first_elements(rows, options.max_lines)
    print_lines(lines(fields, rows[: options.max_lines], not options.noheader, cut, unfold))
    if total > options.max_lines:
        complain(f"only the first {options.max_lines} lines are shown; see --max-lines", "")
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


def first_elements(rows: Iterable[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """The rows that hold the first ``limit`` elements, the last of them cut: nothing is made that is not shown."""
    found = []
    for row in rows:
        if limit <= 0:
            break
        found.append({**row, "shown": min(limit, row["count"])})
        limit -= row["count"]
    return found


def elements(row: Mapping[str, Any]) -> Iterator[dict[str, Any]] | None:
    """What differs between the elements of a folded row; None for a row that is not folded."""
    if row["count"] == 1:
        return None
    from itertools import islice

    from crane_celery.grammar.array import IndexSet

    job = row["job"]
    indexes = islice(IndexSet.parse(row["indexes"]), row["shown"])
    return ({"jobid": f"{job}_{index}", "indexes": str(index), "job": job} for index in indexes)


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

    def text(key: str) -> Any:
        return lambda row: str(row[key])

    made = {
        "j": Column("JOBID", text("jobid"), each=True),
        "F": Column("ARRAYJOBID", lambda row: str(row["job"])),
        "K": Column("ARRAYTASKID", lambda row: row["indexes"] or "N/A", each=True),
        "P": Column("PARTITION", text("partition")),
        "n": Column("NAME", text("name")),
        "u": Column("USER", text("user")),
        "U": Column("UID", text("uid")),
        "a": Column("ACCOUNT", lambda row: row["account"] or "-"),
        "t": Column("STATUS", text("state")),
        "T": Column("TYPE", lambda _row: "Batch"),
        "e": Column("TIME", cell.elapsed),
        "l": Column("TIMELIMIT", lambda row: cell.duration(row["time_limit"])),
        "N": Column("NODES", text("nodes")),
        "L": Column("NODELIST/REASON", cell.where_or_why),
        "R": Column("REASON", text("reason")),
        "S": Column("STARTTIME", lambda row: cell.when(row["began_at"])),
        "s": Column("SUBMITTIME", lambda row: cell.when(row["submitted_at"])),
        "q": Column("QOS", lambda row: row["qos"] or "-"),
        "k": Column("COMMENT", text("comment")),
        "p": Column("PRIORITY", lambda row: cell.cpus(row["priority"])),
        "c": Column("ALLOCCPUS", lambda row: cell.cpus(row["alloc_cpus"])),
        "C": Column("REQCPUS", lambda row: cell.cpus(row["req_cpus"])),
        "m": Column("ALLOCMEMPERNODE", lambda row: cell.memory(row["alloc_memory"])),
        "M": Column("REQMEMPERNODE", lambda row: cell.memory(row["req_memory"])),
        "Q": Column("REQCPUPERTASK", lambda row: cell.cpus(row["req_cpus"] / max(1, row["ntasks"]))),
        "h": Column("HELD", lambda row: cell.yes(row["held"])),
        "X": Column("EXCLUSIVE", lambda row: cell.yes(row["exclusive"])),
        "o": Column("COMMAND", text("command")),
        "r": Column("REQNODES", lambda row: cell.hosts_or_none(row["req_nodelist"])),
        "x": Column("EXCLUDENODES", lambda row: cell.hosts_or_none(row["exclude"])),
        "wckey": Column("WCKEY", text("wckey")),
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
