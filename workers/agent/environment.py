"""The environment of a job's script (reference/cranesched.md section 2.9). Pure: facts in, variables out."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.memory import format_memory
from crane_celery.grammar.number import plain
from crane_celery.model.job import JobSpec
from crane_celery.settings.model import Hooks
from crane_celery.wire.launch import Launch
from workers.agent.dialects import lsf_of_job, lsf_of_run, slurm_of_job, slurm_of_run, twins

#: GRES whose slots are named to libraries by these variables
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES")
#: of the daemons: commands in a job find its node by other variables (crane_celery.surroundings leaves out what an
#: outer job had)
_NEVER_SUBMITTED = ("CRANE_HOME", "CRANE_CONFIG", "CRANE_NODE", "CRANE_DAEMON")


class Place(NamedTuple):
    """Record of what the node knows of itself."""

    node: str
    cluster: str
    socket: str  # of the node's gateway
    shepherd: str
    commands: str  # directory of crun and the others, "" = they are on every PATH
    slurm: bool  # whether every job finds Slurm's variables, whatever its dialect
    hooks: Hooks = Hooks()
    gres: Mapping[str, int] = {}
    devices: Mapping[str, Sequence[str]] = {}  # device files of each slot


def of_job(
    spec: JobSpec, job: int, submitted: Mapping[str, str], place: Place, account: Mapping[str, str], memory: int = 0
) -> dict[str, str]:
    """Return what all runs of one submission share. ``account``: HOME, SHELL, USER, LOGNAME of the passwd entry;
    ``memory``:
    bytes that they hold here, which counts where all of the node was asked for."""
    memory = memory if spec.whole_memory else spec.memory
    tasks_per_node = spec.ntasks_per_node or -(-spec.ntasks // max(1, spec.nodes))
    cpus = spec.cpus_per_node
    made = {
        "CRANE_JOB_NAME": spec.name,
        "CRANE_JOB_ACCOUNT": spec.account,
        "CRANE_JOB_PARTITION": spec.partition,
        "CRANE_JOB_QOS": spec.qos,
        "CRANE_JOB_NUM_NODES": str(spec.nodes),
        "CRANE_NTASKS": str(spec.ntasks),
        "CRANE_NTASKS_PER_NODE": str(tasks_per_node),
        "CRANE_CPUS_PER_TASK": plain(spec.cpus_per_task),
        "CRANE_MEM_PER_NODE": format_memory(memory),
        "CRANE_MEM_PER_CPU": plain(memory / (1 << 20) / cpus) if cpus else "0",
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
    if _slurm(spec, place):
        made |= {**twins(made), **slurm_of_job(spec, place.node, memory, place.slurm)}
    if "lsf" in spec.dialect:
        made |= lsf_of_job(spec, job, place.cluster)
    kind = {"ENVIRONMENT": "BATCH"} if _slurm(spec, place) else {}
    return {**account, **kind, **_travelled(submitted, place), **made}


def _travelled(submitted: Mapping[str, str], place: Place) -> dict[str, str]:
    """The user's variables, with a PATH on which our commands are."""
    found = {"PATH": "/usr/local/bin:/usr/bin:/bin", **submitted}
    if place.commands and place.commands not in found["PATH"].split(":"):
        found["PATH"] = f"{place.commands}:{found['PATH']}" if found["PATH"] else place.commands
    return {name: value for name, value in found.items() if name not in _NEVER_SUBMITTED}


def _slurm(spec: JobSpec, place: Place) -> bool:
    """Return whether the script finds Slurm's variables: by its dialect, or by the configuration."""
    return place.slurm or "slurm" in spec.dialect


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
    """Return what one run adds. ``now``: server time, seconds; ``item``: the element's value, where the array has a
    list."""
    made = {
        "CRANE_JOB_ID": str(launch.id),
        "CRANE_JOB_NODELIST": ";".join(launch.nodes),
        "CRANE_CPUS_ON_NODE": plain(launch.cpus),
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
    if _slurm(spec, place):
        made |= {**twins(made), **slurm_of_run(launch, spec, now)}
    if "lsf" in spec.dialect:
        made |= lsf_of_run(launch, spec, _of_array(spec, launch.job) if spec.array else {})
    return made


def _devices(launch: Launch) -> dict[str, str]:
    slots = sorted(s for name, held in launch.gres.items() if name.split(":")[0] == "gpu" for s in held)
    if not slots:
        return {}
    shown = ",".join(map(str, slots))
    return {**dict.fromkeys(_VISIBLE, shown), "CRANE_GPUS": str(len(slots))}


def of_hooks(spec: JobSpec, job: int, place: Place) -> dict[str, str]:
    """Return what a prolog or epilog is told of a submission, beside what a run adds. Nothing of it is a name that
    the user
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
        "CRANE_CPUS_PER_TASK": plain(spec.cpus_per_task),
        "CRANE_MEM_PER_NODE": format_memory(spec.memory),
        **(_of_array(spec, job) if spec.array else {}),
    }
    return {**made, **twins(made)} if place.slurm else made
