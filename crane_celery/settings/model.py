"""The settings of one cluster, as every daemon sees them."""

import hashlib
from dataclasses import dataclass, field

from crane_celery.model.node import NodeSpec, Partition
from crane_celery.model.weights import Draining, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Programs around jobs and tasks, absolute paths; "" = none. Times are seconds (cranesched.md section 6.2)."""

    prolog: str = ""  # on each node of a job, as the daemon's user, before anything of it runs
    epilog: str = ""  # after all of it
    task_prolog: str = ""  # before each task, as the job's user; its output may set variables
    task_epilog: str = ""
    prolog_timeout_s: float = 60.0
    epilog_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One cluster's configuration with defaults filled in. Times are seconds, sizes bytes, paths absolute."""

    cluster: str
    #: the file it was read from
    path: str
    #: $CRANE_HOME: state, logs, keys
    home: str
    #: sockets; short, and owned by whoever runs the daemons
    run_dir: str
    server_url: str
    #: no ServerUrl was configured: `crane up` starts a server of its own
    embedded: bool
    history_url: str
    #: root may submit jobs
    allow_root: bool
    #: the only user who may use this cluster; None when the daemons are root's
    single_user_uid: int | None
    nodes: dict[str, NodeSpec]
    partitions: dict[str, Partition]
    default_partition: str
    #: user names and uids that may act on every job, beside root and the daemons' own user
    operators: tuple[str, ...] = ()
    #: what users see of their own jobs only: "commands", "usage"
    private: tuple[str, ...] = ("commands",)
    #: an index of an array is at most this, minus one
    max_array_size: int = 1_000_000
    #: elements of one array at most
    max_array_count: int = 1_000_000
    #: a node not heard of for so long is written off
    node_timeout_s: float = 30.0
    #: between TERM and KILL
    kill_grace_s: float = 30.0
    #: launch messages carry an Ed25519 signature
    signing: bool = True
    #: auto, v2, v1 or none
    cgroup: str = "auto"
    #: nodes of root switch the kernel's favordynmods on: a start on an idle node then does not wait 8 to 16 ms
    dynmods: bool = True
    #: how long ended jobs stay in the server; after that only the history has them
    window_s: float = 3600.0
    #: with less free space than this on the server's disk, submissions are refused
    min_free_bytes: int = 256 << 20
    #: with less memory than this left to the server, submissions are refused
    min_free_memory: int = 128 << 20
    #: every job gets SLURM_* beside CRANE_* variables, whatever the dialect of its script
    slurm_env: bool = False
    #: of one user over all partitions, 0 = no limit: submissions that have not ended (an array counts once); bytes of
    #: scripts, environments and options that the server holds; elements at once
    max_submit_jobs: int = 200_000
    max_submit_bytes: int = 512 << 20
    max_jobs: int = 0
    #: batch jobs whose node or launch failed run again, unless they said --no-requeue
    job_requeue: bool = True
    #: so many requeues of one job, then it is held
    max_requeue: int = 5
    #: jobs whose dependency can never be met are cancelled after this grace, unless they said otherwise
    kill_invalid_depend: bool = True
    invalid_depend_grace_s: float = 300.0
    #: what afterok and afternotok of a whole array mean: "all" elements, or the "last" to end
    array_dependency: str = "all"
    #: licences of the cluster: name -> how many
    licenses: dict[str, int] = field(default_factory=dict)
    priority: Priority = field(default_factory=Priority)
    draining: Draining = field(default_factory=Draining)
    hooks: Hooks = field(default_factory=Hooks)
    #: scheduler processes that `crane up` starts (one leads, the others stand by)
    schedulers: int = 1
    #: configuration key -> where its value comes from ("/etc/crane/config.yaml:3", "default")
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """Return what every key of this cluster begins with: one hash tag, so that a script's keys share a slot."""
        return f"{{{self.cluster}}}"

    @property
    def group_root(self) -> str:
        """Return what the names of this cluster's cgroups begin with; two clusters of one host may have one name.

        It is the ``cluster`` of a shepherd's configuration and the ``root_hint`` of workers.cgroup.probe.
        """
        return f"crane.{self.cluster}.{hashlib.sha256(self.home.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"

    @property
    def private_key(self) -> str:
        """The file with the key that schedulers sign launches with."""
        return f"{self.home}/keys/launch.key"

    @property
    def public_key(self) -> str:
        """The file with the key that nodes check launches with."""
        return f"{self.home}/keys/launch.pub"

    @property
    def log_dir(self) -> str:
        """Return where each process has its log file."""
        return f"{self.home}/log"

    def spool(self, node: str) -> str:
        """Return where a node keeps its journal and scripts."""
        return f"{self.home}/spool/{node}"

    def node_run_dir(self, node: str) -> str:
        """Return where the sockets of a node are."""
        return f"{self.run_dir}/node.{node}"
