"""Define what the environment of a caller is, and what of it a job gets that he submits.

Between a caller and us stand a shell (``packaging/bin``), which loses variables, and an interpreter, which may add one:
where the locale is C, Python sets ``LC_CTYPE`` in its own environment (PEP 538). What the kernel was given stays
readable in ``/proc``.

Who submits from inside a job has variables there that a node has made for that job: its id, its devices, its place in
an array, its step. They are no business of the new job's, which has its own, or none: they go on only where
``--export`` names them. The same holds for those of a job of Slurm's or LSF's.
"""

from __future__ import annotations

import os

from crane_celery.errors import InputError, SystemFault
from crane_celery.grammar._lex import quote
from crane_celery.grammar.number import real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: seconds that a variable can have anything waited for
_LONGEST_S = 86400.0
_NO_END = float("inf")
_BLOCK = "/proc/self/environ"
#: what Python sets LC_CTYPE to, the first that the host has
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
#: names of Slurm and LSF, which a node uses as well, and the variable that says that we are in such a job
_FOREIGN = {
    **dict.fromkeys(("SLURM_", "SLURMD_"), "SLURM_JOB_ID"),
    **dict.fromkeys(("LSB_", "LS_SUBCWD", "LSFUSER"), "LSB_JOBID"),
}
#: what their own commands read
_FOREIGN_SETTINGS = ("SLURM_CONF", "SLURM_TIME_FORMAT", "SLURM_CLUSTERS")
#: what a node makes for a job, a run, a step or a task (workers/agent/environment.py), behind CRANE_; other such names
#: are users'
_MADE = frozenset(
    "CRANE_" + name
    for name in (
        *("ARRAY_ITEM", "ARRAY_JOB_ID", "ARRAY_TASK_COUNT", "ARRAY_TASK_ID", "ARRAY_TASK_MAX", "ARRAY_TASK_MIN"),
        *("ARRAY_TASK_STEP", "CLUSTER_NAME", "CPUS_ON_NODE", "CPUS_PER_TASK", "GPUS", "JOB_ACCOUNT", "JOB_DEPENDENCY"),
        *("JOB_END_TIME", "JOB_ID", "JOB_NAME", "JOB_NODELIST", "JOB_NUM_NODES", "JOB_PARTITION", "JOB_QOS"),
        *("MEM_PER_CPU", "MEM_PER_NODE", "NODEID", "NTASKS", "NTASKS_PER_NODE", "PRIMARY_STEP_ID", "PROCID", "PROC_ID"),
        *("RESTART_COUNT", "SHEPHERD", "SOCKET", "SPAWN_KEY", "STEP_ID", "SUBMIT_DIR", "SUBMIT_HOST"),
        *("TASK_EXIT_CODE", "TIMELIMIT"),
    )
)
#: how libraries hear of a job's devices; made by a node where CRANE_GPUS is there, else the user's
_DEVICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")


def seconds(variable: str, usual: float, low: float = 0.0) -> float:
    """Return how many seconds a variable asks for, ``low`` to a day; ``usual`` where it is not set.

    Raises InputError where it is no number: a wait of so long as nobody can tell would never end.
    """
    text = os.environ.get(variable, "")
    if not text:
        return usual
    number = real(text, -_NO_END, _NO_END)
    if number is None:
        raise InputError(f"{variable}={quote(text)} is no number of seconds: set it to such as {usual:g}, or unset it")
    return min(max(number, low), _LONGEST_S)


def surroundings(export: str | None = None) -> dict[str, Any]:
    """Return environment, directory, time zone, umask and host of the caller, for a submission.

    ``export`` as of ``--export``. Raises InputError for a malformed one, SystemFault when the directory is gone.
    """
    umask = os.umask(0o077)
    os.umask(umask)
    env = to_submit(of_caller(), export)
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise SystemFault(f"the working directory is gone ({error.strerror}): cd somewhere first") from None
    from crane_celery.zone import zone

    return {"env": env, "cwd": cwd, "tz": zone(), "umask": umask, "host": os.uname().nodename}


def of_caller(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this process's variables without an ``LC_CTYPE`` that only the interpreter has set."""
    env = dict(environ)
    if env.get("LC_CTYPE") not in _COERCED or env.get("LC_ALL"):
        return env
    try:
        with open(_BLOCK, "rb") as file:
            given = _entries(file.read()).get(b"LC_CTYPE")
    except OSError:
        return env
    if given is None:
        del env["LC_CTYPE"]
    else:
        env["LC_CTYPE"] = os.fsdecode(given)
    return env


def to_submit(environ: Mapping[str, str], export: str | None = None) -> dict[str, str]:
    """Return what of these variables a new job gets; ``export`` as of ``--export``. Raises InputError for a bad one."""
    own = _without_outer_job(environ)
    if export is None:
        return own
    from crane_celery.grammar.export import apply_export

    return apply_export(export, own, environ)


def _without_outer_job(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that belong to the job that we are in."""
    made: frozenset[str] = frozenset()
    if "CRANE_JOB_ID" in environ:
        made = _MADE.union(_DEVICES) if "CRANE_GPUS" in environ else _MADE
        made |= {"ENVIRONMENT"} if environ.get("ENVIRONMENT") == "BATCH" else frozenset()
    foreign = tuple(prefix for prefix, job in _FOREIGN.items() if made or job in environ)
    if not foreign:
        return dict(environ)
    return {
        name: value
        for name, value in environ.items()
        if name not in made and (not name.startswith(foreign) or name in _FOREIGN_SETTINGS)
    }


def restore(encoded: str) -> None:
    """Make this process's environment that of a block as the kernel shows it in ``/proc/PID/environ``, in base64."""
    from binascii import a2b_base64

    found = _entries(a2b_base64(encoded))
    for name in os.environb.keys() - found.keys():
        del os.environb[name]
    os.environb.update(found)


def _entries(block: bytes) -> dict[bytes, bytes]:
    """Return the variables of a block by name; of two with one name the first counts, as in getenv(3)."""
    found: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, value)
    return found
