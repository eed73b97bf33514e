"""cbatch: submit a batch job (reference/cranesched.md section 1.1).

The script is read here, as the user, and sent as it is; what its options mean is decided by the gateway.
"""

from __future__ import annotations

import os
import sys

from cli.common import submission
from cli.common.job_parser import JobParser
from cli.common.main import complain, run, say
from cli.common.paths import expand_paths
from crane_celery.errors import CraneError, InputError, OutcomeUnknown, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: what can be said beside --array-retry
_WITH_RETRY = ("array_retry", "submit_key", "wait", "parsable", "json", "hold")
#: what belongs to the script and its elements, which are those of the first time
_NOT_WITH_RETRY = ("wrap", "script", "args", "export", "test_only", "array_each_line", "array_from_json")


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cbatch", body, argv)


def parser() -> JobParser:
    """The options; only those given appear in the result."""
    made = JobParser(
        "cbatch",
        "Submit a batch job: a script, a command, or what comes on standard input.",
        usage="cbatch [options] SCRIPT [args...]\n"
        "       cbatch [options] --wrap COMMAND\n       cbatch [options] < SCRIPT",
        epilog="In the script, lines '#CBATCH --option value' (or #SBATCH, or #BSUB with LSF's) give options. A"
        " variable\nCBATCH_OPTION gives one too (CBATCH_TIME=10, CBATCH_HOLD=1) and overrides the script; the command"
        " line\noverrides both. For scripts with #SBATCH lines there are SBATCH_OPTION variables, too.\n"
        "\nexamples:\n  cbatch -J fit -c 4 --mem 2G -t 1:00:00 fit.sh data.csv\n"
        "  cbatch --array=0-31%4 --wrap 'echo $CRANE_ARRAY_TASK_ID'\n  cbatch -d afterok:100 merge.sh\n",
        only_given=True,
    )
    submission.add_options(made)
    submission.add_ways(made)
    add = made.add_argument
    add("--test-only", action="store_true", help="submit nothing: say when and where the job would start")
    add(
        "--array-retry",
        metavar="JOB",
        help="submit those elements of an array again that ended and did not complete, their indexes kept;"
        " script and environment are those of the first time, and so are options but for those given beside it, such as"
        " --mem 2G",
    )
    add(
        "--submit-key",
        metavar="KEY",
        help="a name for this submission: with the same one it is accepted once at most, and asking again gives its id",
    )
    add("--wrap", metavar="COMMAND", help="run this shell command instead of a script")
    add("script", nargs="?", metavar="SCRIPT", help="the script; standard input when neither it nor --wrap is given")
    add("args", nargs="...", metavar="ARGS", help="arguments for the script")
    return made


def body(argv: list[str]) -> int:
    """Parse, send, tell; with --wait stay until it ends."""
    parsed, rest = parser().parse_own(argv)
    given = vars(parsed)
    if rest:
        given["script"] = rest[0]
    given["args"] = rest[1:]
    if "array_retry" in given:
        return _send("retry", _retry(given), given)
    job, given = submission.assemble(given)
    if given.get("test_only"):
        return _test(job, bool(given.get("json")))
    return _send("submit", {"jobs": [job]}, given)


def _send(verb: str, request: dict[str, Any], given: dict[str, Any]) -> int:
    """Ask for it, tell the ids; with --wait stay until they have ended."""
    from crane_celery.gateway.client import call  # not needed for --help

    key = given.get("submit_key") or os.urandom(16).hex()
    try:
        accepted = call(verb, {**request, "key": key})
    except OutcomeUnknown as error:
        again = f"Ask by the same command with --submit-key {key} within a day: it is accepted once at most"
        raise OutcomeUnknown(f"{error.message}. {again}") from error
    except CraneError as error:
        return _refused(error, bool(given.get("json")))
    for notice in accepted["notices"]:
        complain(f"cbatch: {notice}", "33")
    ids: list[int] = accepted["ids"]
    say(_told(ids, given))
    if not given.get("wait"):
        return 0
    sys.stdout.flush()
    from cli.common.wait import wait

    return wait("cbatch", ids)


def _retry(given: dict[str, Any]) -> dict[str, Any]:
    """Return what ``--array-retry`` asks, other options than before with it. Raises InputError for what cannot
    change."""
    for name in _NOT_WITH_RETRY:
        if given.get(name):
            option = f"--{name.replace('_', '-')}" if name not in ("script", "args") else repr(given["script"])
            raise InputError(
                f"--array-retry takes script, environment and elements of the first time: leave {option} out, or submit"
                " anew with --array"
            )
    asked: dict[str, Any] = {"selectors": given["array_retry"], "hold": bool(given.get("hold"))}
    other = {name: value for name, value in given.items() if name not in (*_WITH_RETRY, *_NOT_WITH_RETRY)}
    if other:
        expand_paths(other, {})
        from crane_celery.zone import zone

        asked |= {"options": other, "cwd": os.getcwd(), "tz": zone()}
    return asked


def _test(job: dict[str, Any], as_json: bool) -> int:
    """Say when and where it would start."""
    from crane_celery.gateway.client import call

    try:
        found = call("testonly", {"jobs": [job]})
    except CraneError as error:
        return _refused(error, as_json)
    for notice in found.get("notices", ()):
        complain(f"cbatch: {notice}", "33")
    if as_json:
        from cli.output.render import print_json

        print_json({"ok": True, **found}, blanks=True)
        return 0
    if not found.get("start"):
        say(f"Job would wait, nobody can say how long: {found.get('reason') or 'no reason known'}")
        return 0
    import time

    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["start"]))
    say(f"Job would start at {at} on {found.get('nodes') or 'nodes not chosen yet'}")
    return 0


def _told(ids: list[int], given: dict[str, Any]) -> str:
    if given.get("json"):
        import json

        return json.dumps({"ok": True, "job_id": ids[0], **({"job_id_list": ids} if len(ids) > 1 else {})})
    if given.get("parsable"):
        return ",".join(map(str, ids))
    return f"Job id allocated: {', '.join(map(str, ids))}."


def _refused(error: CraneError, as_json: bool) -> int:
    """Say why a submission was not accepted."""
    if isinstance(error, InputError) or not isinstance(error, Refused):
        raise error
    if as_json:
        from cli.output.render import print_json

        print_json({"ok": False, "code": error.code, "reason": error.message}, blanks=True)
    else:
        sys.stdout.flush()
        complain(f"Job allocation failed: {error.message.rstrip('.')}{'' if error.message.endswith('?') else '.'}")
    return error.status


if __name__ == "__main__":
    sys.exit(main())
