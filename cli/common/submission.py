"""The options of a submission, and how a script with its directives becomes a request to the gateway."""

from __future__ import annotations

import os

from cli.common.paths import expand_paths
from cli.common.script import Source, from_environment, from_script
from crane_celery.errors import InputError, SystemFault
from crane_celery.surroundings import of_caller, to_submit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cli.common.job_parser import JobParser

#: options that are the command's own business, not the job's
_OWN = (
    *("parsable", "wait", "json", "wrap", "script", "args", "export", "test_only", "array_retry", "submit_key"),
    *("array_each_line", "array_from_json"),
)
#: options of one matter: one given later in the order script, environment, command line takes the place of the other
_RIVALS = (("mem", "mem_per_cpu"), ("array_each_line", "array_from_json"), ("array", "repeat"))
_POD = ("--pod-name", "--pod-port", "--pod-user", "--pod-dns")


def add_options(parser: JobParser, slurm: bool = False) -> None:
    """What describes a job: the same on the command line and in a directive; with ``slurm`` by Slurm's letters."""
    add = parser.add_argument
    add("-J", "--job-name", metavar="NAME", help="name (default: the script's, or Wrap)")
    add("-N", "--nodes", metavar="N", help="nodes")
    add("-n", "--ntasks", metavar="N", help="tasks over all nodes")
    add("--ntasks-per-node", "--tasks-per-node", metavar="N", help="tasks on each node")
    add("-c", "--cpus-per-task", metavar="N", help="CPUs for each task (default 1; fractions allowed)")
    add("--mem", metavar="SIZE", help="memory on each node, such as 500M or 2G; 0 = all of the node")
    add("--mem-per-cpu", metavar="SIZE", help="memory for each CPU")
    add("--gres", metavar="LIST", help="generic resources on each node, such as gpu:a100:2")
    add("--gpus-per-node", metavar="N", help="GPUs on each node: a number, or types such as a100:2")
    add("-G", "--gpus", metavar="N", help="GPUs over all nodes, the same number on each: a number, or types")
    add("-t", "--time", metavar="TIME", help="time limit: minutes, MM:SS, H:MM:SS, D-H:MM:SS, 1h30m")
    add("-p", "--partition", metavar="NAME", help="partition")
    add("-D", "--chdir", metavar="DIR", help="working directory (default: this one)")
    add("-i", "--input", metavar="FILE", help="standard input (default /dev/null)")
    add("-o", "--output", metavar="FILE", help="standard output (default Crane-%%j.out, in arrays Crane-%%A_%%a.out)")
    add("-e", "--error", metavar="FILE", help="standard error (default: with the output)")
    add("--open-mode", metavar="MODE", help="truncate (default) or append")
    add("--export", metavar="LIST", help="environment that travels: ALL (default), NONE, NIL, or ALL,A=1,B")
    add(
        "--get-user-env",
        action="store_true",
        help="read the user's profile files on the node before the script (--export=NONE does so too)",
    )
    add("-a", "--array", metavar="INDEXES", help="an array: 0-31, 1,3,5, 1-7:2; %%N at most N at once")
    add(
        "--array-each-line",
        metavar="FILE",
        help="an array with an element for each line, empty ones too, which finds it in CRANE_ARRAY_ITEM; its index is"
        " the line's number from 0; --array=%%N bounds how many run at once, --array=INDEXES chooses lines",
    )
    add("--array-from-json", metavar="FILE", help="the same for each value of a JSON list: a text, or compact JSON")
    add("--array-max-fails", metavar="N", help="when N elements have failed, cancel those that have not started")
    add("--repeat", metavar="N", help="submit the same job so many times")
    _add_conditions(parser, slurm)
    _add_recorded(parser)
    _add_later(parser, slurm)


def _add_conditions(parser: JobParser, slurm: bool) -> None:
    """When it may start, where, and what follows its end."""
    add = parser.add_argument
    add("-d", "--dependency", metavar="EXPR", help="such as afterok:100:101+2h,afterany:102 or after:1?after:2")
    add("--kill-on-invalid-dep", metavar="yes|no", help="whether to cancel it when its dependency can never be met")
    add("-H", "--hold", action="store_true", help="hold the job until it is released")
    add("-b", "--begin", metavar="TIME", help="not before: now+1h, 16:00, tomorrow, 2026-01-31T12:00, 16:00-friday")
    add("--deadline", metavar="TIME", help="over at this time, started or not (forms as for --begin)")
    add(
        *(("--signal",) if slurm else ("-s", "--signal")),
        metavar="SPEC",
        help="[B:]SIGNAL[@SECONDS], such as USR1@120: so long (default 60 s) before the time limit, at once where less"
        " is left; it goes to the steps that run then, without any to all processes of the script; with B: to the"
        " script's own process alone",
    )
    add("-L", "--licenses", metavar="LIST", help="licences while it runs: matlab:2,ansys:1, or '|' between choices")
    add(
        *(("-C", "--constraint") if slurm else ("--constraint",)),
        metavar="EXPR",
        help="features of its nodes: a&b, a|b, with brackets",
    )
    add("-w", "--nodelist", metavar="HOSTS", help="only on these nodes")
    add("-x", "--exclude", metavar="HOSTS", help="never on these nodes")
    add("--exclusive", action="store_true", help="whole nodes")
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--requeue", dest="requeue", action="store_const", const="yes", help="run again after any failure"
    )
    again.add_argument(
        "--no-requeue", dest="requeue", action="store_const", const="no", help="never run again, not even a lost node's"
    )
    add("--interpreter", metavar="PATH", help="run the script with this program (default: its #! line, else sh)")
    add("--extra-attr", metavar="JSON", help="a JSON object that is kept with the job")


def add_ways(parser: JobParser) -> None:
    """How the command itself goes on and answers; a script may ask for it, too."""
    parser.add_argument("--parsable", action="store_true", help="print the job id only")
    parser.add_argument("-W", "--wait", action="store_true", help="wait for the job and exit with its exit code")
    parser.add_argument("--json", action="store_true", help="answer in one line of JSON")


def _add_recorded(parser: JobParser) -> None:
    """What real scripts have, and what does nothing here."""
    none = "recorded, without effect"
    for flags, what in (
        ("-A --account", "NAME"),
        ("-q -Q --qos", "NAME"),
        ("--mail-type", "LIST"),
        ("--mail-user", "NAME"),
        ("--comment", "TEXT"),
        ("--wckey", "KEY"),
        ("--priority", "N"),
        ("--cpu-freq", "FREQ"),
        ("-m --distribution", "HOW"),
        ("--ntasks-per-socket", "N"),
        ("--sockets-per-node", "N"),
        ("--cores-per-socket", "N"),
        ("--threads-per-core", "N"),
    ):
        parser.add_argument(*flags.split(), metavar=what, help=none)


def _add_later(parser: JobParser, slurm: bool) -> None:
    """What is known and answered with "not supported yet"."""
    parser.later(*(("--reservation",) if slurm else ("-r", "--reservation")))
    for flag in ("--pod", "--pod-userns", "--pod-host-network"):
        parser.later(flag, takes_value=False)
    for flag in _POD:
        parser.later(flag)


def assemble(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the job as the gateway takes it, all options: the script's, over them the environment's, over them ``given``).

    Raises InputError, NotSupported.
    """
    source = Source(given)
    where: dict[str, str] = {}
    options: dict[str, Any] = {}
    written, dialects = from_script(source, where)
    for layer in (*written, *from_environment(where, "slurm" in dialects), given):
        options = _over(options, layer)
    where = {name: place for name, place in where.items() if name not in given}
    args = options.get("args") or []
    if "wrap" in given and (given.get("script") or args):
        raise InputError("--wrap excludes a script: give one of them")
    expand_paths(options, where)
    wanted = {name: value for name, value in options.items() if name not in _OWN}
    wanted.setdefault("job_name", source.name)
    wanted["command"] = " ".join([source.shown, *args])
    if dialects:
        wanted["dialect"] = ",".join(dialects)
    job = {
        "options": wanted,
        "where": where,
        "script": source.text,
        "argv": args,
        **_items(options),
        **surroundings(options.get("export")),
    }
    if str(options.get("export", "")).upper() == "NONE":
        wanted["get_user_env"] = True
    return job, options


def _over(options: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Options with those of a layer above; of rivals the upper one stays."""
    kept = dict(options)
    for pair in _RIVALS:
        for one, other in (pair, pair[::-1]):
            if one in layer and other not in layer:
                kept.pop(other, None)
    return {**kept, **layer}


def _items(options: dict[str, Any]) -> dict[str, Any]:
    """The values of an array made from a list. Raises InputError."""
    if "array_each_line" not in options and "array_from_json" not in options:
        return {}
    from cli.common.array_items import read_items

    return {"items": read_items(options)}


def surroundings(export: str | None) -> dict[str, Any]:
    """Environment, directory, zone, umask and host of the caller. Raises InputError for a malformed export list."""
    umask = os.umask(0o077)
    os.umask(umask)
    env = to_submit(of_caller(), export)
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise SystemFault(f"the working directory is gone ({error.strerror}): cd somewhere first") from None
    from cli.common.time_zone import zone

    return {"env": env, "cwd": cwd, "tz": zone(), "umask": umask, "host": os.uname().nodename}
