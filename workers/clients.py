"""The crun side of the shepherd: who may, what fits, who waits, and who is told.

A step takes CPUs and memory of its job (the script takes none); what would never fit is refused, what does not fit now
waits, and a later one that does fit goes first. A step lives as long as its crun: one that goes takes it along; one
that goes while its step waits leaves no record of a step, since none was started. Memory of a step is counted, so that
steps fit side by side; what bites is the limit of the job.
"""

import contextlib
import math
import os
import signal
import time
from functools import partial
from typing import Any

from workers.frames import Hangup, Link, Message
from workers.herd import Herd
from workers.records import PRIMARY, Run, Step, of_task
from workers.taskhooks import with_prolog
from workers.timers import Timers

#: reference/cranesched.md section 2.2
NOT_RUNNING, NOT_YOURS, TOO_MUCH, MALFORMED, BUSY = 79, 54, 85, 46, 85
#: seconds that a step waits for its crun to come back after the shepherd was restarted
PATIENCE_S = 15.0
_MAX_TASKS = 256
_SIGNALS = {
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGKILL,
}


class No(Exception):
    """A step that is refused."""

    def __init__(self, code: int, text: str) -> None:
        """A number and a sentence of the reference."""
        super().__init__(text)
        self.code, self.text = code, text


class Request:
    """One crun: its connection, its step, its descriptors."""

    def __init__(self, link: Link, run: Run, step: Step, message: Message, fds: list[int]) -> None:
        """A step that waits, or (with no descriptors) one that was found again."""
        self.link, self.run, self.step, self.message, self.fds = link, run, step, message, fds

    def close(self) -> None:
        """Close descriptors that were not handed on."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Clients:
    """All cruns of this node."""

    def __init__(self, herd: Herd, timers: Timers) -> None:
        """Hook into the herd's news."""
        self._herd = herd
        self._timers = timers
        self._by_link: dict[Link, Request] = {}
        self._by_step: dict[tuple[int, int, int], Request] = {}
        self._waiting: dict[tuple[int, int], list[Request]] = {}
        self._results: dict[tuple[int, int, int], Message] = {}
        herd.on_step = self._step
        herd.on_run = self._run_over

    def expect_back(self) -> None:
        """After a restart: steps whose crun does not come back end, and those with a time limit keep to it."""
        for run in self._herd.ledger.runs.values():
            for number, step in run.steps.items():
                if number != PRIMARY:
                    self._timers.at(time.monotonic() + PATIENCE_S, partial(self._orphan, run, number))
                    self._hold_to_limit(run, step)

    def resumed(self, run: Run) -> None:
        """A suspended run goes on: so do its steps' clocks, and steps that waited may start."""
        for step in run.steps.values():
            self._hold_to_limit(run, step)
        self.pump(run)

    def _hold_to_limit(self, run: Run, step: Step) -> None:
        """Set a timer for a step's own time limit; its clock stands still while its run is suspended."""
        if step.limit and not run.suspended_at:
            began = step.began or time.monotonic()
            end = began + step.limit + run.suspended_s - step.suspended_s
            self._timers.at(end, partial(self._limit_due, run, step, run.suspended_s))

    def _limit_due(self, run: Run, step: Step, suspended_s: float) -> None:
        current = run.steps.get(step.number) is step and run.suspended_s == suspended_s
        if current and not run.suspended_at:  # else the resume sets another timer
            self._herd.stop(run.key, step.number, "limit")

    def _orphan(self, run: Run, number: int) -> None:
        if (*run.key, number) not in self._by_step:
            self._herd.stop(run.key, number, "orphan")

    # -- what cruns say

    def hear(self, link: Link, message: Message) -> None:
        """One frame of a crun. Raises Hangup for nonsense."""
        try:
            match message.get("op"):
                case "step":
                    self._ask(link, message)
                case "attach":
                    self._attach(link, message)
                case "signal":
                    self._forward(link, message)
                case other:
                    raise Hangup(f"unknown op {other!r}")
        except No as no:
            link.send({"op": "refused", "code": no.code, "text": no.text})
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            raise Hangup(f"malformed: {exc}") from exc

    def gone(self, link: Link) -> None:
        """A crun has vanished: so does its step."""
        request = self._by_link.pop(link, None)
        if request is None:
            return
        request.close()
        waiting = self._waiting.get(request.run.key, [])
        if request in waiting:
            waiting.remove(request)
            return
        key = (*request.run.key, request.step.number)
        if self._by_step.get(key) is request:
            del self._by_step[key]
            self._herd.stop(request.run.key, request.step.number, "orphan")

    def _mine(self, link: Link, id_: Any) -> Run:
        runs = [run for run in self._herd.ledger.runs.values() if run.id == id_ and not run.guest]
        if not runs:
            raise No(NOT_RUNNING, f"job {id_} is not running on this node")
        run = max(runs, key=lambda one: one.run)
        if link.peer()[1] not in (run.uid, 0):
            raise No(NOT_YOURS, f"job {id_} belongs to another user")
        if run.draining:
            raise No(NOT_RUNNING, f"job {id_} is ending")
        return run

    def _ask(self, link: Link, message: Message) -> None:
        fds = link.take_fds(int(message["fds"]))
        try:
            run = self._mine(link, message["job"])
            step = self._judge(run, message, fds)
            if link in self._by_link:
                raise No(MALFORMED, "one step for one connection")
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        step.number, run.next_step = run.next_step, run.next_step + 1
        link.send({"op": "numbered", "step": step.number, "run": run.run})
        request = self._by_link[link] = Request(link, run, step, message, fds)
        self._waiting.setdefault(run.key, []).append(request)
        self.pump(run)
        if request.fds:
            link.send({"op": "waiting", "step": step.number})

    @staticmethod
    def _judge(run: Run, message: Message, fds: list[int]) -> Step:
        ntasks, cpus, memory = int(message["ntasks"]), float(message["cpus"]), int(message["memory"])
        argv, env = message["argv"], message["env"]
        if not 1 <= ntasks <= _MAX_TASKS or not 0 < cpus < math.inf or memory < 0 or not argv:
            raise No(MALFORMED, f"a step has 1 to {_MAX_TASKS} tasks on a node, and needs a command and CPUs above 0")
        if len(message["io"]) != 3 * ntasks or not all(0 <= int(at) < len(fds) for at in message["io"]):
            raise No(MALFORMED, "each task has an input, an output and an error output among the descriptors sent")
        if not all(isinstance(a, str) for a in argv) or not all(isinstance(v, str) for kv in env.items() for v in kv):
            raise No(MALFORMED, "arguments and environment are text")
        total = ntasks * cpus
        if total > run.cpus + 1e-6 or memory > run.memory:
            raise No(
                TOO_MUCH,
                f"the step asks for more than the job holds: {total:g} CPUs and {memory} bytes of memory asked for, "
                f"the job has {run.cpus:g} CPUs and {run.memory} bytes on this node",
            )
        limit = float(message.get("limit") or 0.0)
        if not 0 <= limit < math.inf:
            raise No(MALFORMED, "a step's time limit is a number of seconds")
        name, command = str(message["name"])[:255], " ".join(argv)[:255]
        return Step(number=0, ntasks=ntasks, cpus=total, memory=memory, name=name, command=command, limit=limit)

    def _attach(self, link: Link, message: Message) -> None:
        id_, run_, number = int(message["job"]), int(message["run"]), int(message["step"])
        key = (id_, run_, number)
        if key in self._results:
            link.send(self._results.pop(key))
            return
        run = self._mine(link, id_)
        step = run.steps.get(number)
        if run.run == run_ and step is None and number not in run.past:
            link.send({"op": "again"})  # a step is journalled before it is started: this one never was
            return
        if step is None or run.run != run_:
            raise No(NOT_RUNNING, f"step {id_}.{number} is not known any more: it ended while the shepherd was away")
        request = self._by_link[link] = Request(link, run, step, {}, [])
        self._by_step[key] = request

    def _forward(self, link: Link, message: Message) -> None:
        request = self._by_link.get(link)
        number = message["sig"]
        if request is None or number not in _SIGNALS:
            raise Hangup("a signal without a step")
        if request.fds:  # it waits: then it never starts
            self._answer(request, {"op": "exit", "status": [-number] * request.step.ntasks, "cause": "cancel"})
            self.gone(link)
        else:
            self._herd.signal(request.run.key, request.step.number, number)

    # -- starting what fits

    def pump(self, run: Run) -> None:
        """Start what fits of the steps that wait; none in a job that is suspended: a start there would freeze too."""
        waiting = self._waiting.get(run.key, [])
        for request in list(waiting):
            if not run.suspended_at and self._fits(run, request.step):
                waiting.remove(request)
                self._start(run, request)
        if not waiting:
            self._waiting.pop(run.key, None)

    @staticmethod
    def _fits(run: Run, step: Step) -> bool:
        running = [one for one in run.steps.values() if one.number != PRIMARY]
        cpus = sum(one.cpus for one in running) + step.cpus
        return cpus <= run.cpus + 1e-6 and sum(one.memory for one in running) + step.memory <= run.memory

    def _start(self, run: Run, request: Request) -> None:
        message, step = request.message, request.step
        step.suspended_s = run.suspended_s
        message["env"].pop("CRANE_PRIMARY_STEP_ID", None)  # its caller's, where that is the script
        template = {
            "argv": with_prolog(run.hooks.get("task_prolog", ""), message["argv"]),
            "env": message["env"], "cwd": message["cwd"],
            "umask": int(message["umask"]) & 0o777, "append": True,
            "hooks": {"task_epilog": run.hooks.get("task_epilog", "")},
        }  # fmt: skip
        tasks: list[tuple[dict[str, str], list[int]]] = []
        self._by_step[(*run.key, step.number)] = request
        try:
            for task in range(step.ntasks):
                own = of_task(step.number, task, slurm="SLURM_JOB_ID" in message["env"])
                tasks.append((own, [os.dup(request.fds[at]) for at in message["io"][3 * task : 3 * task + 3]]))
            self._herd.start_step(run, step, template, tasks)
        except OSError as exc:
            for _, fds in tasks:
                for fd in fds:
                    os.close(fd)
            text = f"the node's journal or its table of open files takes no more: {exc}"
            request.link.send({"op": "refused", "code": MALFORMED, "text": text})
            return
        finally:
            request.close()
        self._hold_to_limit(run, step)

    # -- what they are told

    def _step(self, run: Run, step: Step) -> None:
        key = (*run.key, step.number)
        if not step.over:
            if (request := self._by_step.get(key)) is not None:
                request.link.send({"op": "started", "step": step.number, "run": run.run})
            return
        status = [step.status[task] for task in sorted(step.status)]
        answer = {"op": "exit", "status": status, "cause": step.cause, "text": step.number_text[1]}
        request = self._by_step.pop(key, None)
        if request is None:
            self._results[key] = answer
        else:
            self._answer(request, answer)
        # After the herd has taken the step off its run.
        self._timers.at(0.0, lambda: self.pump(run))

    def _answer(self, request: Request, answer: Message) -> None:
        request.link.send(answer)
        self._by_link.pop(request.link, None)
        request.close()

    def _run_over(self, run: Run) -> None:
        for request in self._waiting.pop(run.key, []):
            self._answer(request, {"op": "exit", "status": [None] * request.step.ntasks, "cause": "job"})
        for key in [key for key in self._results if key[:2] == run.key]:
            with contextlib.suppress(KeyError):
                del self._results[key]
