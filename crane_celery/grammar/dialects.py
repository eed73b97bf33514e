"""Define what of Slurm's and LSF's surroundings a job finds here, and what a script uses of the rest.

A script that runs under another system reads its variables and calls its commands. Those that a node makes are listed
here (workers.agent.dialects makes them); what else a script reads or calls is named once, when it is submitted.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

#: variables that a node makes, or that a step adds, by their beginnings
VARIABLES = {
    "slurm": """
        SLURMD_NODENAME SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_MAX
        SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_STEP SLURM_CLUSTER_NAME SLURM_CPUS_ON_NODE SLURM_CPUS_PER_TASK
        SLURM_DISTRIBUTION SLURM_GET_USER_ENV SLURM_GPUS SLURM_GPUS_ON_NODE SLURM_GPUS_PER_NODE SLURM_GTIDS SLURM_JOBID
        SLURM_JOB_ACCOUNT SLURM_JOB_CPUS_PER_NODE SLURM_JOB_DEPENDENCY SLURM_JOB_END_TIME SLURM_JOB_GID SLURM_JOB_GPUS
        SLURM_JOB_ID SLURM_JOB_LICENSES SLURM_JOB_NAME SLURM_JOB_NODELIST SLURM_JOB_NUM_NODES SLURM_JOB_PARTITION
        SLURM_JOB_QOS SLURM_JOB_START_TIME SLURM_JOB_UID SLURM_JOB_USER SLURM_LOCALID SLURM_MEM_PER_CPU
        SLURM_MEM_PER_NODE SLURM_NNODES SLURM_NODEID SLURM_NODELIST SLURM_NPROCS SLURM_NTASKS SLURM_NTASKS_PER_NODE
        SLURM_OPEN_MODE SLURM_PRIO_PROCESS SLURM_PROCID SLURM_RESTART_COUNT SLURM_STEPID SLURM_STEP_ID
        SLURM_STEP_NODELIST SLURM_STEP_NUM_NODES SLURM_STEP_NUM_TASKS SLURM_STEP_TASKS_PER_NODE SLURM_SUBMIT_DIR
        SLURM_SUBMIT_HOST SLURM_TASKS_PER_NODE SLURM_THREADS_PER_CORE SLURM_TOPOLOGY_ADDR SLURM_TOPOLOGY_ADDR_PATTERN
        SLURM_WCKEY SLURM_WORKING_DIR SLURM_CPU_BIND_TYPE
    """,
    "lsf": """
        LSB_BATCH_JID LSB_DJOB_NUMPROC LSB_EXEC_CLUSTER LSB_HOSTS LSB_JOBID LSB_JOBINDEX LSB_JOBINDEX_END
        LSB_JOBINDEX_STEP LSB_JOBNAME LSB_JOB_EXECUSER LSB_MAX_NUM_PROCESSORS LSB_MCPU_HOSTS LSB_PROJECT_NAME LSB_QUEUE
        LSB_RESTART LSB_SUBCWD LSB_SUB_HOST LSB_SUB_USER LSFUSER LS_SUBCWD
    """,
}
#: commands of theirs -> ours that do the like, "" for none
COMMANDS = {
    "slurm": {
        "srun": "crun", "sbatch": "cbatch", "squeue": "cqueue", "scancel": "ccancel", "scontrol": "ccontrol",
        "sacct": "cacct", "sinfo": "cinfo", "seff": "ceff", "sstat": "", "sbcast": "", "salloc": "", "sattach": "",
    },
    "lsf": {
        "bsub": "cbatch", "bjobs": "cqueue", "bkill": "ccancel", "bhosts": "cinfo", "bhist": "ccontrol story",
        "bacct": "cacct", "bmod": "ccontrol update", "bstop": "ccontrol suspend", "bresume": "ccontrol resume",
        "bpeek": "", "blaunch": "",
    },
}  # fmt: skip
_PREFIX = {"slurm": r"SLURMD?_", "lsf": r"(?:LSB|LS|LSF)_"}
_COMMENT = r"(?m)^\s*#.*$"
#: so many names of a kind are told
_FEW = 8


def not_provided(script: str, dialects: Iterable[str], environ: Container[str], found: Container[str]) -> str:
    """One notice of what a script in these dialects uses and will not find, "" for nothing.

    ``environ``: names of the variables that travel with it; ``found``: commands that are there.
    """
    text = re.sub(_COMMENT, "", script)
    parts = []
    for dialect in dialects:
        variables = [name for name in _read(text, _PREFIX[dialect]) if name not in VARIABLES[dialect].split()]
        variables = [name for name in variables if name not in environ and not re.search(rf"\b{name}=", text)]
        if variables:
            parts.append(f"no variables {_listed(variables)}")
        called = [name for name in COMMANDS[dialect] if name not in found and _calls(text, name)]
        if called:
            shown = [f"{name} (use {COMMANDS[dialect][name]})" if COMMANDS[dialect][name] else name for name in called]
            parts.append(f"no commands {_listed(shown)}")
    return f"the script uses what is not there: {'; '.join(parts)}" if parts else ""


#: dialect -> (whose variables, their names, what a script needs to have them)
_SYSTEMS = {
    "slurm": ("Slurm", r"SLURMD?_\w+", "#SBATCH"),
    "lsf": ("LSF", r"LSB_\w+|LS_SUBCWD", "#BSUB"),
    "pbs": ("PBS", r"PBS_\w+", ""),
    "sge": ("SGE", r"SGE_\w+", ""),
}


def not_set(script: str, dialects: Iterable[str], environ: Container[str]) -> list[str]:
    """A notice for each system whose variables the script needs and, in these dialects, does not have.

    One that the script tests or gives a default (``${SLURM_JOB_ID:-}``) is not needed.
    """
    text = re.sub(_COMMENT, "", script)
    notices = []
    for system, (owner, names, mark) in _SYSTEMS.items():
        if system in dialects:
            continue
        read = rf"""(?a)\$(?:({names})|\{{({names})\}})|\[["']({names})["']\]"""
        needed = dict.fromkeys("".join(found) for found in re.findall(read, text))
        missing = [name for name in needed if name not in environ and not _foreseen(name, text)]
        if missing:
            why = f"there are no variables of {owner}: write CRANE_*"
            if mark:
                why = f"only scripts with {mark} lines have {owner}'s variables: write CRANE_*, or add such a line"
            notices.append(f"the script reads {_listed(missing)}; {why}")
    return notices


def _foreseen(name: str, text: str) -> bool:
    """Return whether the script sets the variable itself, or provides for its absence."""
    return bool(re.search(rf"\b{name}=|\$\{{{name}:?[-+=?]", text))


def _read(text: str, prefix: str) -> list[str]:
    """Names of variables that are read, each once: by a shell, or by their quoted names in other languages."""
    return list(dict.fromkeys(re.findall(rf"""(?a)(?:\$\{{?[#!]?|["'])({prefix}\w+)""", text)))


def _calls(text: str, command: str) -> bool:
    """Return whether a line of a shell has this word where commands stand."""
    return bool(re.search(rf"(?m)(?:^|[;&|(`]|\b(?:then|do|else|exec|time)\b)[ \t]*{command}(?=\s|$)", text))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
