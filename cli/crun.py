"""crun: run a step of the job we are in, in the foreground (reference/cranesched.md section 1.2).

It hands its command, environment and descriptors to the node's shepherd and stays until the step ends; a step whose
crun vanishes is ended. When the shepherd is restarted meanwhile, crun finds the new one and asks for its step.
"""

from __future__ import annotations

import os
import sys

from cli.common.job_parser import JobParser
from cli.common.main import complain, run
from cli.common.options import number
from cli.common.paths import in_job
from cli.common.step_client import Step
from crane_celery.errors import InputError, NotSupported, Refused
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar.number import plain
from crane_celery.surroundings import of_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

_NOT_IN_STEP = ("-p --partition", "-J --job-name", "-q --qos", "-A --account", "-r --reservation", "-x --exclude")
_IGNORED = ("-d --dependency", "-s --signal", "--wckey", "--comment", "--mail-type", "--mail-user", "-w --nodelist")
#: descriptors that the kernel passes on in one message (SCM_MAX_FD is 253)
_MAX_FILES = 250
_MAX_TASKS = 256
#: CPUs of a task: what the node takes at its door (workers/shepherd/decode.py)
_MAX_CPUS = 1e6


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("crun", body, argv)


def parser() -> JobParser:
    """The options of a step."""
    made = JobParser(
        "crun",
        "Run a command as a step of this job, and wait for it.",
        usage="crun [options] COMMAND [args...]",
        epilog="examples (in a job's script):\n  crun -c 2 ./prepare input.dat\n  crun -n 4 -o part-%t.out ./work &\n",
    )
    add = made.add_argument
    add("-N", "--nodes", type=number, metavar="N", help="nodes; 1 is what a step may have")
    add("-n", "--ntasks", type=number, metavar="N", help="tasks (default: the job's on one node, 1 with -N 1)")
    add("--ntasks-per-node", type=number, metavar="N", help="tasks on each node")
    add("-c", "--cpus-per-task", type=float, default=1.0, metavar="N", help="CPUs of each task (default 1)")
    add(
        "--mem",
        metavar="SIZE",
        help="memory of the step: counted, so that steps fit side by side; what bites is the job's limit",
    )
    add("--mem-per-cpu", metavar="SIZE", help="the same, for each CPU")
    add("-t", "--time", metavar="TIME", help="time limit of the step")
    add("-D", "--chdir", metavar="DIR", help="working directory")
    add("-i", "--input", default="all", metavar="WHERE", help="all, none, a task's number, or a file pattern")
    add("-o", "--output", default="all", metavar="WHERE", help="all, none, a task's number, or a file pattern")
    add("-e", "--error", "--err", default="all", metavar="WHERE", help="all, none, a task's number, or a file pattern")
    add("--export", default="ALL", metavar="LIST", help="variables that travel: ALL, NONE, NIL, or a list")
    add("-Q", "--quiet", action="store_true", help="no messages of crun's own")
    add("--exclusive", dest="refused", action="append_const", const="--exclusive", help="not in a step")
    add("-H", "--hold", dest="refused", action="append_const", const="--hold", help="not in a step")
    for flags in _NOT_IN_STEP:
        add(*flags.split(), dest=flags.split()[-1].strip("-").replace("-", "_"), metavar="X", help="not in a step")
    for flags in _IGNORED:
        add(*flags.split(), dest="ignored", metavar="X", help="accepted, of no effect in a step")
    made.later("--pty", "--x11", "--x11-forwarding", "--get-user-env", takes_value=False)
    made.later(
        "--gres", "--gpus-per-node", "-G", "--gpus", "-L", "--licenses", "--deadline", "--mpi", "--prolog", "--epilog"
    )
    made.later("--task-prolog", "--task-epilog", "--debug-level")
    add("command", nargs="...", metavar="COMMAND", help="what to run, with its arguments")
    return made


def body(argv: list[str]) -> int:
    """Parse, hand over, wait."""
    made = parser()
    given, words = made.parse_own(argv)
    given.command = words
    job = os.environ.get("CRANE_JOB_ID")
    if not job:
        raise NotSupported("crun outside a job is not supported yet: submit with cbatch, and use crun in its script")
    _check(given)
    if made.config:
        complain("crun: --config has no effect: a step runs in the job that it is started in", "33")
    message, files = _request(given, _job_id(job))
    return Step(os.environ.get("CRANE_SHEPHERD", ""), given.quiet).run(message, files)


def _job_id(text: str) -> int:
    """Return the id in CRANE_JOB_ID. Raises InputError where somebody has set it to something else."""
    found = whole(text)
    if not found:
        raise InputError(f"CRANE_JOB_ID={quote(text)} is no job's id: leave it as the node has set it")
    return found


def _check(given: argparse.Namespace) -> None:
    for flags in _NOT_IN_STEP:
        name = flags.split()[-1]
        if getattr(given, name.strip("-").replace("-", "_")) is not None:
            raise InputError(f"{name} is not supported in step.")
    if given.refused:
        raise InputError(f"{given.refused[0]} is not supported in step.")
    if given.nodes is not None and given.nodes != 1:
        raise NotSupported(f"a step on {given.nodes} nodes is not supported yet: leave -N out")
    if not given.command:
        raise InputError("no command: say what to run, such as crun ./program")
    if not 0 < given.cpus_per_task <= _MAX_CPUS:
        raise InputError(f"bad number of CPUs {given.cpus_per_task:g}: it must be above 0, and {_MAX_CPUS:g} at most")
    if given.mem and given.mem_per_cpu:
        raise InputError("--mem and --mem-per-cpu exclude each other: give one")


def tasks_of(given: argparse.Namespace) -> int:
    """Return how many tasks the step has. Raises InputError, Refused, NotSupported."""
    found = given.ntasks if given.ntasks is not None else given.ntasks_per_node
    if found is None:
        found = 1 if given.nodes else _of_job("CRANE_NTASKS")
        if not given.nodes and (nodes := _of_job("CRANE_JOB_NUM_NODES")) > 1:
            raise NotSupported(
                f"a step on the job's {nodes} nodes is not supported yet: give -N 1 for this node's part"
            )
    if found < 1:
        raise InputError(f"bad number of tasks {found}: it must be at least 1")
    if found > _MAX_TASKS:
        raise Refused(f"{found} tasks: a step has {_MAX_TASKS} at most; start several steps")
    return int(found)


def _of_job(variable: str) -> int:
    return whole(os.environ.get(variable, "")) or 1


def _memory(given: argparse.Namespace, cpus: float) -> int:
    if not given.mem and not given.mem_per_cpu:
        return 0
    from crane_celery.grammar.memory import parse_memory

    return parse_memory(given.mem) if given.mem else int(parse_memory(given.mem_per_cpu) * cpus)


def _limit(given: argparse.Namespace) -> int | None:
    if not given.time:
        return None
    from crane_celery.grammar.duration import parse_duration

    return parse_duration(given.time)


def _environment(given: argparse.Namespace) -> dict[str, str]:
    if given.export == "ALL":
        return of_caller()
    from crane_celery.grammar.export import apply_export

    chosen = apply_export(given.export, of_caller())
    return chosen if "PATH" in chosen else {"PATH": os.defpath, **chosen}


def _request(given: argparse.Namespace, job: int) -> tuple[dict[str, Any], list[int]]:
    """The frame, and three descriptors for each task."""
    ntasks = tasks_of(given)
    cwd = os.path.abspath(in_job(given.chdir, pattern=False)) if given.chdir else os.getcwd()
    command = [_program(given.command[0]), *given.command[1:]]
    env = {**_environment(given), "CRANE_NTASKS": str(ntasks), "CRANE_CPUS_PER_TASK": plain(given.cpus_per_task)}
    umask = os.umask(0o077)
    os.umask(umask)
    wanted = _files(given, ntasks, job, cwd)
    files = list(dict.fromkeys(wanted))
    if len(files) > _MAX_FILES:
        raise Refused(f"{len(files)} files for {ntasks} tasks: {_MAX_FILES} at most can be handed over; leave %t out")
    message = {
        "op": "step",
        "job": job,
        "argv": command,
        "env": env,
        "cwd": cwd,
        "umask": umask,
        "ntasks": ntasks,
        "cpus": given.cpus_per_task,
        "memory": _memory(given, ntasks * given.cpus_per_task),
        "limit": _limit(given),
        "name": os.path.basename(command[0]),
        "fds": len(files),
        "io": [files.index(fd) for fd in wanted],
    }
    return message, files


def _program(word: str) -> str:
    """The path of the program, looked up as a shell does."""
    if "/" in word:
        return os.path.abspath(word)
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory or ".", word)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.abspath(path)
    raise Refused(f"{word}: command not found")


def _files(given: argparse.Namespace, ntasks: int, job: int, cwd: str) -> list[int]:
    null = os.open(os.devnull, os.O_RDWR)
    found = []
    for task in range(ntasks):
        out = _sink(given.output, 1, task, null, job, cwd)
        same = given.error == given.output and given.error not in ("all", "none") and not _is_task(given.error)
        err = out if same else _sink(given.error, 2, task, null, job, cwd)
        found += [_source(given.input, task, ntasks, null, job, cwd), out, err]
    return found


def _is_task(where: str) -> bool:
    """Return whether a task is named; no task has a number of so many digits that it is none."""
    return where.isascii() and where.isdigit()


def _source(where: str, task: int, ntasks: int, null: int, job: int, cwd: str) -> int:
    if where == "none":
        return null
    if where == "all":
        return 0 if ntasks == 1 or task == 0 else null  # one stream cannot be read by many: the first task has it
    if _is_task(where):
        return 0 if whole(where) == task else null
    return _open(where, task, os.O_RDONLY, job, cwd)


def _sink(where: str, own: int, task: int, null: int, job: int, cwd: str) -> int:
    if where == "all" or (_is_task(where) and whole(where) == task):
        return own
    if where == "none" or _is_task(where):
        return null
    shared = task and not any(letter in where for letter in ("%t", "t}"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if shared else os.O_TRUNC)
    return _open(where, task, flags, job, cwd)


def _open(pattern: str, task: int, flags: int, job: int, cwd: str) -> int:
    from crane_celery.grammar.filename import FilenameContext, check_filename, expand_filename

    def told(name: str) -> int | None:
        return whole(os.environ.get(name, ""))

    context = FilenameContext(
        job=job,
        array_job=told("CRANE_ARRAY_JOB_ID"),
        array_index=told("CRANE_ARRAY_TASK_ID"),
        step=0,
        host=os.uname().nodename,
        node_index=0,
        task=task,
        user=os.environ.get("USER", ""),
        name=os.environ.get("CRANE_JOB_NAME", ""),
        run=(told("CRANE_RESTART_COUNT") or 0) + 1,
    )
    path = os.path.join(cwd, expand_filename(check_filename(in_job(pattern, pattern=True)), context))
    try:
        if flags & os.O_CREAT:
            from crane_celery.folders import make_folders

            make_folders(os.path.dirname(path))
        return os.open(path, flags, 0o666)
    except OSError as error:
        raise Refused(f"cannot open {path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
