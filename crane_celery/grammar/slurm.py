"""What Slurm's sbatch knows and we do not: by name, so that it is refused as what it is and never read as another."""

from __future__ import annotations

#: letters that mean one thing in ``#SBATCH`` and another, or nothing, in our own command line
LETTERS = {
    "-B": "--extra-node-info",
    "-F": "--nodefile",
    "-I": "--immediate",
    "-k": "--no-kill",
    "-M": "--clusters",
    "-O": "--overcommit",
    "-r": "--relative",
    "-S": "--core-spec",
    "-s": "--oversubscribe",
}
_PLAIN = """
acctg-freq batch bb bbf burst-buffer cluster-constraint clusters consolidate-segments container container-id
contiguous core-spec cpu-bind delay-boot export-file extra extra-node-info gid gpu-bind gpu-freq
gpus-per-socket gres-flags hint ignore-pbs immediate mcs-label mem-bind mincores mincpus minsockets minthreads
network nice no-kill nodefile ntasks-per-core ntasks-per-gpu oom-kill-step overcommit oversubscribe power
prefer profile propagate quiet reboot relative resv-ports segment share sockets-per-board spread-job stepmgr
switches thread-spec time-min tmp tres-bind tres-per-task uid umask use-min-nodes wait-all-nodes
"""
#: options that are not there, with what to write instead where there is something that serves
OPTIONS = {
    **dict.fromkeys(_PLAIN.split(), ""),
    "gpus-per-task": "write --gpus for all tasks together",
    "cpus-per-gpu": "write --cpus-per-task",
    "mem-per-gpu": "write --mem",
}


def refusal(option: str) -> str:
    """Why an option of Slurm's is not taken; "" for one that is not Slurm's either."""
    long = LETTERS.get(option, option)
    advice = OPTIONS.get(long.removeprefix("--")) if long.startswith("--") else None
    if advice is None:
        return ""
    name = option if long == option else f"{option} ({long})"
    return f"{name} of Slurm is not supported yet: {advice or 'leave it out'}"


def abbreviates(prefix: str) -> bool:
    """Whether a word with its two dashes is the beginning, or the whole, of one of these."""
    return any(f"--{name}".startswith(prefix) for name in OPTIONS)
