"""ccancel: end jobs, elements or what matches (reference/cranesched.md section 1.5)."""

from __future__ import annotations

import sys

from cli.common.job_filters import add_filters, filters_of
from cli.common.main import complain, run, say
from cli.common.options import Parser, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REFUSED = 4


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("ccancel", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "ccancel",
        "Cancel jobs by id (12, 12_4, 12_[1-3]; a bare array id is the whole array) or by property.",
        usage="ccancel [options] [ID[,ID...] ...]",
        epilog="examples:\n  ccancel 36_[1-3] 20_[1-9:2]\n  ccancel -u alice -t pending\n"
        "  ccancel --signal USR1 --batch 12\n",
    )
    add = made.add_argument
    add("ids", nargs="*", metavar="ID", help="jobs, elements or steps, separated by commas or blanks")
    add_filters(made)
    add("-t", "--state", metavar="LIST", help="only pending (p), running (r), suspended (s) or all")
    add("-w", "--nodes", metavar="HOSTS", help="only what runs on these nodes")
    add("-s", "--signal", metavar="SIGNAL", help="send this signal to what runs instead of ending it")
    add("-b", "--batch", action="store_true", help="with --signal: to the script's own process alone")
    add("-f", "--full", action="store_true", help="with --signal: to the script and all it has started (as without)")
    add("--cascade", action="store_true", help="also what can then never start, and so on")
    add("-i", "--interactive", action="store_true", help="ask before it is done")
    add("--json", action="store_true", help="answer in one line of JSON")
    return made


def body(argv: list[str]) -> int:
    """Parse, ask, tell."""
    options = parser().parse(argv)
    from crane_celery.errors import InputError
    from crane_celery.gateway.client import call

    filters = filters_of(options)
    if options.state:
        filters["states"] = split_list(options.state)
    if options.nodes:
        filters["nodes"] = [options.nodes]
    ids = ",".join(options.ids)
    if not filters and not options.ids:
        raise InputError("name jobs to cancel, or at least one condition such as --user, --name or --state")
    asked: dict[str, Any] = {"selectors": ids, "filters": filters}
    if options.ids:
        from crane_celery.grammar.selector import parse_selectors

        parse_selectors(ids)
    if options.signal:
        asked["signal"] = options.signal
    if options.batch and not options.full:
        asked["script"] = True
    if options.cascade:
        asked["cascade"] = True
    if options.cascade and options.signal:
        raise InputError("--cascade cancels: it goes with no --signal")
    if options.batch and not options.signal:
        raise InputError("--batch signals the script alone: say which signal, such as --signal USR1")
    if options.interactive and not confirmed(filters, ids):
        return _REFUSED
    signal = ""
    if options.signal:
        from crane_celery.grammar.signals import signal_name, signal_number

        signal = signal_name(signal_number(options.signal))
    return tell(call("cancel", asked), options.json, signal, bool(asked.get("script")))


def confirmed(filters: dict[str, Any], chosen: str) -> bool:
    """Return whether the person says yes; no answer is no."""
    what = f"job {chosen}" if chosen else "all jobs"
    which = "".join(f", {name} {' or '.join(values)}" for name, values in filters.items())
    complain(f"Cancel {what}{which}? [y/N] ", "", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def tell(outcome: dict[str, Any], as_json: bool, signal: str = "", script: bool = False) -> int:
    """Print what was cancelled, or sent ``signal`` (``script``: to the script alone), and what was not; 4 when
    something was not."""
    failed = outcome["failed"]
    if as_json:
        from cli.output.render import print_json

        print_json({**as_object(outcome), **({"signal": signal} if signal else {})})
    else:
        from cli.output.id_text import brief

        if outcome["cancelled"]:
            say(sent(outcome["cancelled"], signal, script) if signal else sentence(outcome["cancelled"]))
            sys.stdout.flush()
        for shown, why in failed:
            job, dot, step = shown.rpartition(".")
            what = f"step: {brief(job)}-{step}" if dot else f"job: {brief(shown)}"
            complain(f"Failed to {'signal' if signal else 'cancel'} {what}. Reason: {why}.")
        if not outcome["cancelled"] and not failed:
            complain("no job matches", "")
    if outcome["never"]:
        sys.stdout.flush()
        complain(f"{outcome['never']} job(s) that depend on them can now never start (DependencyNeverSatisfied)", "33")
    return _REFUSED if failed else 0


def sentence(shown: list[str]) -> str:
    """``Job 1,2_3 Step 4.2 cancelled successfully.``"""
    from cli.output.id_text import brief

    jobs = ",".join(brief(each) for each in shown if "." not in each)
    steps = ",".join(brief(each) for each in shown if "." in each)
    return f"{f'Job {jobs} ' if jobs else ''}{f'Step {steps} ' if steps else ''}cancelled successfully."


def sent(shown: list[str], signal: str, script: bool) -> str:
    """``Signal USR1 sent to job 1,2_3, step 4.2.``"""
    from cli.output.id_text import brief

    jobs = ",".join(brief(each) for each in shown if "." not in each)
    steps = ",".join(brief(each) for each in shown if "." in each)
    whom = ", ".join(filter(None, (jobs and f"job {jobs}", steps and f"step {steps}")))
    return f"Signal {signal} sent to {'the script of ' if script else ''}{whom}."


def as_object(outcome: dict[str, Any]) -> dict[str, Any]:
    """The JSON of this command."""
    cancelled: dict[str, Any] = {}
    for shown in outcome["cancelled"]:
        job, dot, step = shown.rpartition(".")
        steps = cancelled.setdefault(job if dot else shown, {"steps": []})["steps"]
        if dot:
            steps.append(int(step))
    refused: dict[str, Any] = {}
    for shown, why in outcome["failed"]:
        job, dot, step = shown.rpartition(".")
        entry = refused.setdefault(job if dot else shown, {"reason": "", "step_ids": [], "step_reasons": []})
        if dot:
            entry["step_ids"].append(int(step))
            entry["step_reasons"].append(why)
        else:
            entry["reason"] = why
    return {"cancelled_steps": cancelled, "not_cancelled_job_steps": refused, "never": outcome["never"]}


if __name__ == "__main__":
    sys.exit(main())
