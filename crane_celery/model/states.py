"""States, stored exit codes and pending reasons: the words of a job's life, in one place.

Source: reference/cranesched.md sections 2.1, 2.5 and 2.8, as amended by design.md section 11.
"""

from enum import StrEnum


class State(StrEnum):
    """State of a job, a run or a step. The value is what commands show."""

    PENDING = "Pending"
    STARTING = "Starting"  # committed to a node (leased), the node has not confirmed yet
    RUNNING = "Running"
    COMPLETING = "Completing"  # its script has ended, other nodes of it are still cleaning up
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TIMEOUT = "ExceedTimeLimit"
    CANCELLED = "Cancelled"
    OOM = "OutOfMemory"
    DEADLINE = "Deadline"


#: final: nothing follows
ENDED = frozenset({State.COMPLETED, State.FAILED, State.TIMEOUT, State.CANCELLED, State.OOM, State.DEADLINE})
#: holds an allocation
HOLDING = frozenset({State.STARTING, State.RUNNING, State.COMPLETING, State.SUSPENDED})

#: worst first: what an array shows when its elements ended differently (reference/cranesched.md section 4.2)
WORST = (State.OOM, State.TIMEOUT, State.DEADLINE, State.CANCELLED, State.FAILED, State.COMPLETED)

#: the step that runs what was submitted (documents/job-steps.txt)
PRIMARY_STEP = 1
#: in a request to signal a step: that step's own process alone, not what it has started
SCRIPT = 0

# Stored exit codes. 0-255: the process's own; 256 + s: killed by signal s.
SIGNAL_BASE = 256
TERMINATED = 320
PERMISSION = 321
CGROUP = 322
FILE_NOT_FOUND = 323
SPAWN = 324
TIME_LIMIT = 325
NODE_DOWN = 326
EXEC = 327
RPC = 328
PROLOG = 329
DEADLINE = 330
MPI = 331
STATUS_LOST = 350  # ours: it ended, and no one was left to see how

#: codes of what its node or its time limit ended
LOST = frozenset({NODE_DOWN, TIME_LIMIT, STATUS_LOST})

CODE_MEANING = {
    TERMINATED: "terminated",
    PERMISSION: "permission denied",
    CGROUP: "cgroup error",
    FILE_NOT_FOUND: "file or directory not found",
    SPAWN: "could not be started",
    TIME_LIMIT: "time limit exceeded",
    NODE_DOWN: "node down",
    EXEC: "exec failed",
    RPC: "message lost",
    PROLOG: "prolog failed",
    DEADLINE: "deadline reached",
    MPI: "MPI error",
    STATUS_LOST: "status lost",
}


def show_code(code: int) -> str:
    """A stored exit code as ``code:signal`` (``3:0``, ``0:9``; codes from 320 on show as ``0:64`` and so on)."""
    return f"{code}:0" if code < SIGNAL_BASE else f"0:{code - SIGNAL_BASE}"


def show_deaths(deaths: int) -> str:
    """Return how many processes were killed because memory ran out, for people; "" for none."""
    if not deaths:
        return ""
    return f"{deaths} {'process was' if deaths == 1 else 'processes were'} killed: out of memory"


class Reason(StrEnum):
    """Why a job is pending. The value is what commands show."""

    NONE = ""
    HELD = "Held"
    BEGIN = "BeginTime"
    DEPENDENCY = "Dependency"
    NEVER = "DependencyNeverSatisfied"
    PRIORITY = "Priority"
    RESOURCES = "Resource"
    ARRAY_LIMIT = "ArrayTaskLimit"
    PARTITION = "Partition Not Found"
    NODES_DOWN = "Nodes required are down or drained"
    LICENSES = "Licenses"
    DRAINING = "Draining"  # nodes are drained for it
    RESERVED = "Resource Reserved"  # room is free now, and kept for a job that is ahead
    USER_LIMIT = "UserPartitionJobsLimit"  # so many jobs of this user run already
    REQUEUE_LIMIT = "JobHoldMaxRequeue"  # held: it was requeued too often
