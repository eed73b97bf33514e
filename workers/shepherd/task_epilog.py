"""TaskEpilog: the administrators' program after each task, as the job's user (docs/hooks.md). The shepherd's side.

It is a start like any other, in the task's leaf, under the key of the task's number turned round (~0 is -1), and the
step is not over before it is. How it ends changes nothing of the task's result: it is logged. A spawner alone knows
whether it has been started (workers.spawner.epilog_context), so after a kill of the shepherd asking again does no harm.
"""

import contextlib
import logging
import os
import signal
import time

from crane_celery.wire.node import Failed, Started
from workers.cgroup import CgroupError
from workers.cgroup.procs import send
from workers.shepherd.records import Run, Step, leaf_name, status_text, task_key
from workers.shepherd.runs import Herd, TaskEvent
from workers.shepherd.spawners import Start

log = logging.getLogger("crane.epilogs")

_RETRY_S = 0.5
_SENT = (0, 0)


class TaskEpilogs:
    """The epilogs of all tasks; `Step.epilogs` has those under way."""

    def __init__(self, herd: Herd) -> None:
        """Takes the herd's hooks for tasks that ended and for what is heard of epilogs."""
        self._herd = herd
        herd.on_exit, herd.on_epilog = self.begin, self.hear

    def begin(self, run: Run, step: Step, task: int) -> None:
        """A task has ended: start its epilog. None follows one that was killed, or whose end nobody saw."""
        unfit = step.cause or step.status[task] in (None, -signal.SIGKILL) or task in step.epilogs
        if not run.hooks.get("task_epilog") or unfit:
            return
        step.epilogs[task] = None
        if not run.suspended_at:
            self._start(run, step, task)
        else:  # a start in a frozen group would freeze the spawner
            self._later(run, step, task)

    def _later(self, run: Run, step: Step, task: int) -> None:
        self._herd.timers.at(time.monotonic() + _RETRY_S, lambda: self._again(run, step, task))

    def _again(self, run: Run, step: Step, task: int) -> None:
        if self._herd.ledger.runs.get(run.key) is not run:
            return
        if run.suspended_at:
            self._later(run, step, task)
        elif step.cause or not self._start(run, step, task):
            key = task_key(run, step.number, ~task)
            self._herd.events(None, [Failed(key, "spawn", 0, "its job was stopped", time.monotonic())])

    def _start(self, run: Run, step: Step, task: int) -> bool:
        """Return whether it is on its way."""
        key, user = task_key(run, step.number, ~task), (run.uid, run.gid)
        environ = {"CRANE_TASK_EXIT_CODE": status_text(step.status[task] or 0)}
        start = Start(
            key, key, {"follows": task_key(run, step.number, task)}, environ, ("", "", ""),
            self._herd.leaf(run, step.number), leaf_name(run, step.number),
        )  # fmt: skip
        try:
            if user in self._herd.nursery.posts:  # another than the task's has nothing to start it with
                step.epilogs[task] = _SENT
                step.flying += 1
                self._herd.nursery.send(user, run.groups, [start])
                return True
        except (OSError, CgroupError) as exc:
            step.flying -= 1
            self._failed(run, f"cannot be run: {exc}")
        step.epilogs.pop(task, None)
        return False

    def hear(self, run: Run, step: Step, task: int, event: TaskEvent) -> None:
        """Take what a spawner reports of an epilog; one that is not under way changes nothing, unless it has begun."""
        if step.epilogs.get(task) == _SENT:
            step.flying -= 1
        if isinstance(event, Started):
            step.epilogs[task] = (event.pid, event.start)
            self._herd.leaf(run, step.number).adopt(event.pid)
            self._herd.timers.at(event.at + run.hooks["epilog_s"], lambda: self._overdue(run, step, task, event.pid))
        elif task in step.epilogs:
            del step.epilogs[task]
            if isinstance(event, Failed):
                self._failed(run, f"was not run: {event.text}")
            elif event.status:
                self._failed(run, f"ended with {_how(event.status)}")

    def _overdue(self, run: Run, step: Step, task: int, pid: int) -> None:
        under_way = (step.epilogs.get(task) or _SENT)[0] == pid
        if not under_way or self._herd.ledger.runs.get(run.key) is not run:
            return
        self._failed(run, f"took longer than {run.hooks['epilog_s']:g} s")
        leaf = self._herd.leaf(run, step.number)
        send(lambda: [one for one in leaf.pids() if _session(one) == pid], signal.SIGKILL)

    @staticmethod
    def _failed(run: Run, how: str) -> None:
        log.warning("job %d: task epilog %s %s", run.id, run.hooks["task_epilog"], how)


def _how(status: int) -> str:
    return f"exit code {status}" if status > 0 else f"signal {-status}"


def _session(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0
