"""From the shepherd's facts to a state, a stored exit code and a reason (model.states). Pure."""

import errno
from typing import NamedTuple

from crane_celery.model import states
from crane_celery.model.states import State
from crane_celery.wire.node import RunEnded


class Verdict(NamedTuple):
    """Record of how a run or step ended."""

    state: State
    code: int
    reason: str = ""


_STOPPED = {
    "limit": Verdict(State.TIMEOUT, states.TIME_LIMIT),
    "deadline": Verdict(State.DEADLINE, states.DEADLINE),
    "cancel": Verdict(State.CANCELLED, states.TERMINATED),
    "orphan": Verdict(State.CANCELLED, states.TERMINATED, "its crun is gone"),
    "job": Verdict(State.CANCELLED, states.TERMINATED, "its job ended"),
    "stale": Verdict(State.FAILED, states.NODE_DOWN, "the node had been written off"),
}
_STAGES = {
    "rpc": states.RPC,
    "prolog": states.PROLOG,
    "cgroup": states.CGROUP,
    "spawn": states.SPAWN,
    "exec": states.EXEC,
}


#: errors of a start that are the node's: its tables or its disk are full, or it is broken
_OF_NODE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EIO, errno.EROFS)


def of_node(end: RunEnded) -> str:
    """Return why a launch failed, where that is the node's fault, else ""."""
    if end.status is not None:
        return ""
    own = end.cause == "cgroup" or (end.cause == "spawn" and end.number in _OF_NODE)
    return end.text or end.cause if own else ""


def judge(status: int | None, cause: str, number: int, text: str) -> Verdict:
    """``status``, ``cause``, ``number``, ``text`` as in workers.shepherd.records.Ending."""
    if cause in _STOPPED:
        return _STOPPED[cause]
    if cause == "spawn" and number in _OF_NODE:
        return Verdict(State.FAILED, states.RPC, text)
    if cause in _STAGES:
        return Verdict(State.FAILED, _STAGES[cause], text)
    if cause in ("cwd", "input", "output"):
        denied = number in (errno.EACCES, errno.EPERM, errno.EROFS)
        return Verdict(State.FAILED, states.PERMISSION if denied and cause != "cwd" else states.FILE_NOT_FOUND, text)
    if status is None:
        return Verdict(State.FAILED, states.STATUS_LOST, "status lost")
    code = status if status >= 0 else states.SIGNAL_BASE - status
    if cause == "oom":
        return Verdict(State.OOM, code, "out of memory")
    return Verdict(State.FAILED, code, text) if code else Verdict(State.COMPLETED, 0)
