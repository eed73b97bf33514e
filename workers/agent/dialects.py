"""Variables of Slurm and of LSF, which a script in their dialect finds beside ours. Pure: facts in, variables out.

What Slurm sets only where an option was given (``SLURM_NTASKS``, ``SLURM_CPUS_PER_TASK``...) is set only then, since
programs take its absence as an answer. Lists by node are in the order of the node list, the script's node first.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from math import ceil

from crane_celery.grammar.hostlist import compress, expand
from crane_celery.model.job import JobSpec
from crane_celery.wire.launch import Launch

#: variables of ours -> Slurm's names of the same
_TWINS = {
    "CRANE_JOB_ID": ("SLURM_JOB_ID", "SLURM_JOBID"),
    "CRANE_JOB_NAME": ("SLURM_JOB_NAME",),
    "CRANE_JOB_ACCOUNT": ("SLURM_JOB_ACCOUNT",),
    "CRANE_JOB_QOS": ("SLURM_JOB_QOS",),
    "CRANE_JOB_DEPENDENCY": ("SLURM_JOB_DEPENDENCY",),
    "CRANE_JOB_PARTITION": ("SLURM_JOB_PARTITION",),
    "CRANE_JOB_NUM_NODES": ("SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
    "CRANE_JOB_USER": ("SLURM_JOB_USER",),
    "CRANE_JOB_UID": ("SLURM_JOB_UID",),
    "CRANE_JOB_GID": ("SLURM_JOB_GID",),
    "CRANE_GPUS": ("SLURM_GPUS_ON_NODE",),
    "CRANE_NODEID": ("SLURM_NODEID",),
    "CRANE_PROCID": ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_GTIDS"),
    "CRANE_SUBMIT_DIR": ("SLURM_SUBMIT_DIR", "SLURM_WORKING_DIR"),
    "CRANE_SUBMIT_HOST": ("SLURM_SUBMIT_HOST",),
    "CRANE_CLUSTER_NAME": ("SLURM_CLUSTER_NAME",),
    "CRANE_ARRAY_JOB_ID": ("SLURM_ARRAY_JOB_ID",),
    "CRANE_ARRAY_TASK_ID": ("SLURM_ARRAY_TASK_ID",),
    "CRANE_ARRAY_TASK_COUNT": ("SLURM_ARRAY_TASK_COUNT",),
    "CRANE_ARRAY_TASK_MIN": ("SLURM_ARRAY_TASK_MIN",),
    "CRANE_ARRAY_TASK_MAX": ("SLURM_ARRAY_TASK_MAX",),
    "CRANE_ARRAY_TASK_STEP": ("SLURM_ARRAY_TASK_STEP",),
    "CRANE_RESTART_COUNT": ("SLURM_RESTART_COUNT",),
}
#: how long a job without a limit may run, as Slurm has it
_YEAR_S = 365 * 24 * 3600
#: options whose text a variable repeats where they were given
_REPEATED = {
    "gpus": "SLURM_GPUS",
    "gpus_per_node": "SLURM_GPUS_PER_NODE",
    "threads_per_core": "SLURM_THREADS_PER_CORE",
    "distribution": "SLURM_DISTRIBUTION",
    "wckey": "SLURM_WCKEY",
}


def twins(made: Mapping[str, str]) -> dict[str, str]:
    """The Slurm names of what is there and says something."""
    return {twin: made[name] for name, names in _TWINS.items() if made.get(name) for twin in names}


def slurm_of_job(spec: JobSpec, node: str, memory: int, forced: bool) -> dict[str, str]:
    """Return what all runs of a submission share, beside the twins. ``memory``: bytes on this node; ``forced``: for
    each job,
    by the configuration, which adds what CraneSched sets for its jobs."""
    asked = spec.asked
    made = {
        "SLURM_JOB_USER": spec.user,
        "SLURM_JOB_UID": str(spec.uid),
        "SLURM_JOB_GID": str(spec.gid),
        "SLURM_TASKS_PER_NODE": folded(tasks_on_each(spec)),
        "SLURM_PRIO_PROCESS": "0",
        "SLURMD_NODENAME": node,
        "SLURM_TOPOLOGY_ADDR": node,
        "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
    }
    if "mem_per_cpu" in asked and not spec.whole_memory:
        made["SLURM_MEM_PER_CPU"] = str(int(memory / max(spec.cpus_per_node, 0.001)) >> 20)
    else:
        made["SLURM_MEM_PER_NODE"] = str(memory >> 20)
    if "ntasks" in asked or "ntasks_per_node" in asked:
        made |= dict.fromkeys(("SLURM_NTASKS", "SLURM_NPROCS"), str(spec.ntasks))
    if "ntasks_per_node" in asked:
        made["SLURM_NTASKS_PER_NODE"] = str(spec.ntasks_per_node)
    if "cpus_per_task" in asked:
        made["SLURM_CPUS_PER_TASK"] = str(ceil(spec.cpus_per_task))
    if "open_mode" in asked:
        made["SLURM_OPEN_MODE"] = spec.open_mode[:1]
    if "get_user_env" in asked:
        made["SLURM_GET_USER_ENV"] = "1"
    if spec.licenses:
        made["SLURM_JOB_LICENSES"] = spec.licenses
    made |= {variable: asked[name] for name, variable in _REPEATED.items() if name in asked}
    return {**made, "SLURM_STEP_NUM_TASKS": str(spec.ntasks), "SLURM_CPU_BIND_TYPE": "none"} if forced else made


def slurm_of_run(launch: Launch, spec: JobSpec, now: float) -> dict[str, str]:
    """Return what one run adds. ``now``: server time, seconds."""
    nodes = listed(launch.nodes)
    slots = sorted(s for name, held in launch.gres.items() if name.split(":")[0] == "gpu" for s in held)
    made = {
        "SLURM_NODELIST": nodes,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_CPUS_ON_NODE": str(ceil(launch.cpus)),
        "SLURM_JOB_CPUS_PER_NODE": folded(map(ceil, cpus_on_each(launch))),
        "SLURM_JOB_START_TIME": str(int(now)),
    }
    end = int(now) + (_YEAR_S if spec.time_limit is None else spec.time_limit)
    made["SLURM_JOB_END_TIME"] = str(min(end, int(spec.deadline or end)))
    if slots:
        made["SLURM_JOB_GPUS"] = ",".join(map(str, slots))
    return made


def lsf_of_job(spec: JobSpec, job: int, cluster: str) -> dict[str, str]:
    """Return what all runs of a submission share."""
    made = {
        "LSB_QUEUE": spec.partition,
        "LSB_DJOB_NUMPROC": str(spec.ntasks),
        "LSB_MAX_NUM_PROCESSORS": str(spec.ntasks),
        "LS_SUBCWD": spec.submit_dir or spec.cwd,
        "LSB_SUBCWD": spec.submit_dir or spec.cwd,
        "LSB_SUB_HOST": spec.submit_host,
        "LSB_SUB_USER": spec.user,
        "LSB_JOB_EXECUSER": spec.user,
        "LSFUSER": spec.user,
        "LSB_EXEC_CLUSTER": cluster,
        "LSB_PROJECT_NAME": spec.account or "default",
        "LSB_JOBNAME": spec.name,
        "LSB_JOBINDEX": "0",
    }
    return made | ({"LSB_JOBID": str(job)} if spec.array else {})


def lsf_of_run(launch: Launch, spec: JobSpec, bounds: Mapping[str, str]) -> dict[str, str]:
    """Return what one run adds. ``bounds``: CRANE_ARRAY_TASK_MAX and _STEP of an array."""
    tasks = tasks_on_each(spec)
    each = list(zip(launch.nodes, tasks, strict=False))
    made = {
        "LSB_HOSTS": " ".join(node for node, count in each for _ in range(count)),
        "LSB_MCPU_HOSTS": " ".join(f"{node} {count}" for node, count in each),
        "LSB_RESTART": "Y" if launch.run > 1 else "N",
    }
    if launch.array_index is None:
        return {**made, "LSB_JOBID": str(launch.id), "LSB_BATCH_JID": str(launch.id)}
    index = str(launch.array_index)
    return {
        **made,
        "LSB_BATCH_JID": f"{launch.job}[{index}]",
        "LSB_JOBNAME": f"{spec.name}[{index}]",
        "LSB_JOBINDEX": index,
        "LSB_JOBINDEX_END": bounds["CRANE_ARRAY_TASK_MAX"],
        "LSB_JOBINDEX_STEP": bounds["CRANE_ARRAY_TASK_STEP"],
    }


def tasks_on_each(spec: JobSpec) -> list[int]:
    """Return how many tasks each node gets: so many of ``--ntasks-per-node`` until none is left, else an even
    spread."""
    nodes, per_node = max(1, spec.nodes), spec.ntasks_per_node
    if per_node:
        return [max(0, min(per_node, spec.ntasks - at * per_node)) for at in range(nodes)]
    least, more = divmod(spec.ntasks, nodes)
    return [least + (at < more) for at in range(nodes)]


def cpus_on_each(launch: Launch) -> Sequence[float]:
    """CPUs that the run holds on each of its nodes."""
    return launch.cpus_each or (launch.cpus,) * len(launch.nodes)


def folded(counts: Iterable[int]) -> str:
    """Counts by node as Slurm writes them: ``4(x2),1``."""
    runs = ((count, sum(1 for _ in group)) for count, group in groupby(counts))
    return ",".join(f"{count}(x{times})" if times > 1 else str(count) for count, times in runs)


@lru_cache(maxsize=256)
def listed(nodes: tuple[str, ...]) -> str:
    """The nodes as a host list, folded where that keeps their order."""
    short = compress(nodes)
    return short if expand(short, len(nodes)) == list(nodes) else ",".join(nodes)
