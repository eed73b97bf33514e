"""The environment of a job's script (reference/cranesched.md section 2.9). Pure: facts in, variables out."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.memory import format_memory
from crane_celery.model.job import JobSpec
from crane_celery.settings.model import Hooks
from crane_celery.wire import Launch

#: GRES whose slots are named to libraries by these variables
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
#: CRANE_ variable -> its Slurm names
_TWINS = {
    "CRANE_JOB_ID": ("SLURM_JOB_ID", "SLURM_JOBID"),
    "CRANE_JOB_NAME": ("SLURM_JOB_NAME",),
    "CRANE_JOB_ACCOUNT": ("SLURM_JOB_ACCOUNT",),
    "CRANE_JOB_QOS": ("SLURM_JOB_QOS",),
    "CRANE_JOB_DEPENDENCY": ("SLURM_JOB_DEPENDENCY",),
    "CRANE_JOB_PARTITION": ("SLURM_JOB_PARTITION",),
    "CRANE_JOB_NUM_NODES": ("SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
    "CRANE_NTASKS": ("SLURM_NTASKS", "SLURM_NPROCS", "SLURM_STEP_NUM_TASKS"),
    "CRANE_NTASKS_PER_NODE": ("SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"),
    "CRANE_CPUS_ON_NODE": ("SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE"),
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
#: of the daemons: commands in a job find its node by other variables (crane_celery.surroundings leaves out what an
#: outer job had)
_NEVER_SUBMITTED = ("CRANE_HOME", "CRANE_CONFIG", "CRANE_NODE", "CRANE_DAEMON")


class Place(NamedTuple):
    """What the node knows of itself."""

    node: str
    cluster: str
    socket: str  # of the node's gateway
    shepherd: str
    commands: str  # directory of crun and the others, "" = they are on every PATH
    slurm: bool
    hooks: Hooks = Hooks()
    gres: Mapping[str, int] = {}
    devices: Mapping[str, Sequence[str]] = {}  # device files of each slot


def of_job(
    spec: JobSpec, job: int, submitted: Mapping[str, str], place: Place, account: Mapping[str, str]
) -> dict[str, str]:
    """What all runs of one submission share. ``account``: HOME, SHELL, USER, LOGNAME of the passwd entry."""
    tasks_per_node = spec.ntasks_per_node or -(-spec.ntasks // max(1, spec.nodes))
    cpus = spec.cpus_per_node
    made = {
        **account,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **{name: value for name, value in submitted.items() if name not in _NEVER_SUBMITTED},
        "CRANE_JOB_NAME": spec.name,
        "CRANE_JOB_ACCOUNT": spec.account,
        "CRANE_JOB_PARTITION": spec.partition,
        "CRANE_JOB_QOS": spec.qos,
        "CRANE_JOB_NUM_NODES": str(spec.nodes),
        "CRANE_NTASKS": str(spec.ntasks),
        "CRANE_NTASKS_PER_NODE": str(tasks_per_node),
        "CRANE_CPUS_PER_TASK": f"{spec.cpus_per_task:.2f}",
        "CRANE_MEM_PER_NODE": format_memory(spec.memory),
        "CRANE_MEM_PER_CPU": f"{spec.memory / (1 << 20) / cpus:.2f}" if cpus else "0.00",
        "CRANE_SUBMIT_DIR": spec.submit_dir or spec.cwd,
        "CRANE_SUBMIT_HOST": spec.submit_host,
        "CRANE_CLUSTER_NAME": place.cluster,
        "CRANE_TIMELIMIT": format_duration(spec.time_limit),
        "CRANE_PRIMARY_STEP_ID": "1",
        "CRANE_PROCID": "0",
        "CRANE_PROC_ID": "0",
        "CRANE_NODEID": "0",
        "CRANE_SOCKET": place.socket,
        "CRANE_SHEPHERD": place.shepherd,
        **({"CRANE_JOB_DEPENDENCY": spec.dependency} if spec.dependency else {}),
        **(_of_array(spec, job) if spec.array else {}),
    }
    if place.commands and place.commands not in made["PATH"].split(":"):
        made["PATH"] = f"{place.commands}:{made['PATH']}" if made["PATH"] else place.commands
    return {**made, **twins(made), **_of_slurm(spec)} if place.slurm else made


def _of_slurm(spec: JobSpec) -> dict[str, str]:
    """What Slurm writes in another form."""
    return {
        "SLURM_CPUS_PER_TASK": f"{spec.cpus_per_task:g}",
        "SLURM_MEM_PER_NODE": str(spec.memory >> 20),
        "SLURM_CPU_BIND_TYPE": "none",
    }


@lru_cache(maxsize=16)
def _indexes(array: str) -> IndexSet:
    """Index sets by text: the elements of an array come one after another."""
    return IndexSet.parse(array.partition("%")[0])


def _of_array(spec: JobSpec, job: int) -> dict[str, str]:
    indexes = _indexes(spec.array)
    return {
        "CRANE_ARRAY_JOB_ID": str(job),
        "CRANE_ARRAY_TASK_COUNT": str(len(indexes)),
        "CRANE_ARRAY_TASK_MIN": str(indexes.first),
        "CRANE_ARRAY_TASK_MAX": str(indexes.last),
        "CRANE_ARRAY_TASK_STEP": str(indexes.step),
    }


def of_run(launch: Launch, spec: JobSpec, place: Place, now: float, item: str | None = None) -> dict[str, str]:
    """What one run adds. ``now``: server time, seconds; ``item``: the element's value, where the array has a list."""
    made = {
        "CRANE_JOB_ID": str(launch.id),
        "CRANE_JOB_NODELIST": ";".join(launch.nodes),
        "CRANE_CPUS_ON_NODE": f"{launch.cpus:g}",
    }
    if launch.run > 1:  # its absence is how a script knows that it runs for the first time
        made["CRANE_RESTART_COUNT"] = str(launch.run - 1)
    if launch.array_index is not None:
        made["CRANE_ARRAY_TASK_ID"] = str(launch.array_index)
    if item is not None:
        made["CRANE_ARRAY_ITEM"] = item
    if spec.time_limit is not None:
        made["CRANE_JOB_END_TIME"] = str(int((now + spec.time_limit) * 1e9))
    made |= _devices(launch)
    if place.slurm:
        nodes = ",".join(launch.nodes)
        made |= {**twins(made), "SLURM_NODELIST": nodes, "SLURM_JOB_NODELIST": nodes, "SLURMD_NODENAME": place.node}
    return made


def _devices(launch: Launch) -> dict[str, str]:
    slots = sorted(s for name, held in launch.gres.items() if name.split(":")[0] == "gpu" for s in held)
    if not slots:
        return {}
    shown = ",".join(map(str, slots))
    return {**dict.fromkeys(_VISIBLE, shown), "CRANE_GPUS": str(len(slots))}


def twins(made: Mapping[str, str]) -> dict[str, str]:
    """The Slurm names of what is there."""
    return {twin: made[name] for name, names in _TWINS.items() if name in made for twin in names}


def of_hooks(spec: JobSpec, job: int, place: Place) -> dict[str, str]:
    """What a prolog or epilog is told of a submission, beside what a run adds. Nothing of it is a name that the user
    chose, nor is any other variable of the user there: these programs are the daemon's."""
    made = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CRANE_NODE_NAME": place.node,
        "CRANE_CLUSTER_NAME": place.cluster,
        "CRANE_JOB_USER": spec.user,
        "CRANE_JOB_UID": str(spec.uid),
        "CRANE_JOB_GID": str(spec.gid),
        "CRANE_JOB_NAME": spec.name,
        "CRANE_JOB_ACCOUNT": spec.account,
        "CRANE_JOB_PARTITION": spec.partition,
        "CRANE_JOB_QOS": spec.qos,
        "CRANE_JOB_NUM_NODES": str(spec.nodes),
        "CRANE_JOB_WORK_DIR": spec.cwd,
        "CRANE_CPUS_PER_TASK": f"{spec.cpus_per_task:.2f}",
        "CRANE_MEM_PER_NODE": format_memory(spec.memory),
        **(_of_array(spec, job) if spec.array else {}),
    }
    return {**made, **twins(made)} if place.slurm else made
