"""cacct: accounting of what ended, and of what runs (reference/cranesched.md section 1.8).

A job's row comes first, its steps after it; newest jobs on top. An array has one row per element; elements that wait
share one. Of the reference's defects none is copied: ``-F`` has as many cells as headers,
and ``%u`` and ``%U`` mean what they mean in cqueue.
"""

from __future__ import annotations

from cli.common import truncation
from cli.common.job_filters import add_filters, filters_of
from cli.common.main import run
from cli.common.options import Formats, Parser, add_output_options, ids, number, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import Any


MAX_LINES = 1000
#: of the steps that every job has, numbered from 0: what holds its resources, and its script
_OF_EVERY_JOB = 2


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cacct", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "cacct",
        "Show what jobs and their steps did: those that ended, and those that run.",
        epilog="examples:\n  cacct -j 36_[1-3],12.2\n  cacct -u ada -E yesterday -t failed,oom\n  cacct -S 09:00\n"
        "  cacct -o '%j|%t|%e'\n",
    )
    add = made.add_argument
    add("-j", "--job", metavar="IDS", help="only these: 12, 12.1, 12_4, 12_4.1, 12_[1-3]")
    add_filters(made)
    add("-w", "--nodelist", metavar="HOSTS", help="only what ran on these nodes")
    add(
        "-t",
        "--state",
        metavar="LIST",
        help="pending(p) running(r) completed(c) failed(f) cancelled(x) timeout(t) oom(o) deadline all",
    )
    add("-S", "--start-time", metavar="A~B", help="only what started in this interval: A~B, ~B, or A, from then on;"
        " such as 09:00 (the last one), yesterday, friday, -3d, now-2hours or 2026-11-29T12:00")  # fmt: skip
    add("-E", "--end-time", metavar="A~B", help="only what ended in this interval")
    add("-s", "--submit-time", metavar="A~B", help="only what was submitted in this interval")
    add("-m", "--max-lines", type=number, metavar="N", help=f"runs at most, the newest (default"
        f" {MAX_LINES}, of --ids all); stderr, or a field of --json, says how many are left out")  # fmt: skip
    add("--deadline", metavar="A~B", help="only what has its deadline in this interval")
    add("--steps", action="store_true", help="the steps that every job has, too: 0, which holds its resources, and 1,"
        " its script")  # fmt: skip
    add("--ids", action="store_true", help="only ids, one of each array, such as 53_[3,53,103], for other commands")
    add("--array-summary", action="store_true", help="a line for each array: how many elements are in which state")
    add("-D", "--duplicates", action="store_true", help="every run of what ran several times (as it is without it)")
    add("--last", action="store_true", help="only the last run of each")
    add_output_options(made, formats)
    return made


def formats() -> dict[str, Formats]:
    """Return what ``-o`` can show: of runs and steps, and of arrays."""
    from cli.output import accounting_columns as acct

    summary = {**acct.columns(), **acct.summary_columns()}
    return {"": Formats(acct.DEFAULT, acct.columns()), "--array-summary": Formats(acct.SUMMARY, summary)}


def body(argv: list[str]) -> int:
    """Parse, ask once, print."""
    options = parser().parse(argv)
    truncation.max_lines(options.max_lines)
    if options.ids:
        from cli.common.ids import print_ids

        return print_ids(options, "history", {**_request(options), "steps": False}, "newest")
    from cli.output import accounting_columns as acct
    from cli.output.render import CUT, parse_format, print_json, print_lines
    from cli.output.table import lines
    from crane_celery.gateway.client import call

    known = {**acct.columns(), **(acct.summary_columns() if options.array_summary else {})}
    fields = parse_format(_format(options), known)  # before asking: a bad format costs nobody anything
    answer = call("history", _request(options))
    jobs = answer["rows"]
    if options.json:
        made = array_info if options.array_summary else job_info
        infos = [made(row) for row in jobs]
        print_json({"ok": True, "job_info_list": infos, **truncation.left_out(len(jobs), answer)})
        return 0
    if not options.format and not options.array_summary and any(row["memory_deaths"] for row in jobs):
        fields = parse_format(f"{_format(options)} {acct.DEATHS}", known)
    cut = 0 if options.format or options.full else CUT
    print_lines(lines(fields, with_steps(jobs, options.job or "", every=options.steps), not options.noheader, cut))
    truncation.tell(len(jobs), answer["total"], exact=answer["exact"], which="newest", what=_what(options))
    return 0


def _what(options: argparse.Namespace) -> str:
    return "arrays" if options.array_summary else "jobs" if options.last else "runs"


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """Return what is asked of the gateway; intervals go as typed, with the zone that they are meant in."""
    asked = filters_of(options)
    if options.state:
        asked["states"] = split_list(options.state)
    if options.nodelist:
        asked["nodes"] = [options.nodelist]
    from crane_celery.zone import zone

    texts = {
        "selectors": ids(options.job),
        "start": options.start_time,
        "end": options.end_time,
        "submit": options.submit_time,
        "deadline": options.deadline,
    }
    asked |= {key: value for key, value in texts.items() if value}
    kind = {"summary": True} if options.array_summary else {"steps": True}
    return {**asked, **kind, "last": options.last, "tz": zone(), "limit": options.max_lines or MAX_LINES, "count": True}


def _format(options: argparse.Namespace) -> str:
    """The format asked for; the default one grows by what was filtered on."""
    from cli.output import accounting_columns as acct

    if options.format:
        return str(options.format)
    if options.array_summary:
        return acct.SUMMARY
    if options.full:
        return acct.FULL
    asked = (
        ("%deadline", options.deadline),
        ("%E", options.end_time),
        ("%s", options.submit_time),
        ("%S", options.start_time),
    )
    return " ".join([acct.DEFAULT, *(column for column, given in asked if given)])


def with_steps(jobs: Iterable[dict[str, Any]], selectors: str, every: bool) -> Iterator[dict[str, Any]]:
    """Each job's row, then its steps: ``every`` one, else those of ``crun`` and those named. Where only steps were
    named (``12.1``), their rows alone."""
    only_steps = bool(selectors) and all("." in item for item in split_list(selectors))
    named = "." in selectors
    for job in jobs:
        if not only_steps:
            yield job
        for step in job.get("steps", ()):
            if every or named or step["step"] >= _OF_EVERY_JOB:
                yield {**job, **step, "jobid": step["stepid"], "nodes": len(step["nodelist"])}


def array_info(row: dict[str, Any]) -> dict[str, Any]:
    """An array with its counts."""
    same = {key: row[key] for key in ("name", "partition", "account", "qos", "uid")}
    return {"job_id": row["job"], **same, "username": row["user"], "count": row["count"], "state_counts": row["counts"]}


def job_info(row: dict[str, Any]) -> dict[str, Any]:
    """A job with its steps under the field names of ``--json`` (reference/cranesched.md section 0.4)."""
    from cli.output.cells import exit_code
    from cli.output.json_records import job_info as made
    from cli.output.json_records import step_info

    info = made(row)
    info["exit_text"] = exit_code(row)
    info["step_info_list"] = [{**step_info(step), "exit_text": exit_code(step)} for step in row.get("steps", ())]
    return info


if __name__ == "__main__":
    import sys

    sys.exit(main())
