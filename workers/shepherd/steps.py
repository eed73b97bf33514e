"""The crun side of the shepherd: who may, what fits, who waits, and who is told.

A step takes CPUs and memory of its job (the script takes none); what would never fit is refused, what does not fit now
waits, and a later one that does fit goes first. A step lives as long as its crun: one that goes takes it along; one
that goes while its step waits leaves no record of a step, since none was started. Memory of a step is counted, so that
steps fit side by side; what bites is the limit of the job.
"""

import os
import signal
import time
from collections import Counter
from functools import partial

from crane_celery.grammar.memory import format_memory
from crane_celery.wire.link import Hangup, Link, Message
from workers.common.task_prolog import with_prolog
from workers.shepherd import decode
from workers.shepherd.closing import Closer
from workers.shepherd.decode import AttachRequest, StepRequest
from workers.shepherd.records import PRIMARY, Run, Step, of_step, of_task
from workers.shepherd.runs import Herd
from workers.shepherd.timers import Timers

#: reference/cranesched.md section 2.2
NOT_RUNNING, NOT_YOURS, TOO_MUCH, MALFORMED = 79, 54, 85, 46
#: seconds that a step waits for its crun to come back after the shepherd was restarted
PATIENCE_S = 15.0
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

    def __init__(self, link: Link, run: Run, step: Step, asked: StepRequest | None = None) -> None:
        """A step that waits; or, with nothing asked, one that was found again."""
        self.link, self.run, self.step, self.asked = link, run, step, asked
        self.uid = link.peer()[1]
        self.fds: list[int] = []


def _fitting(run: Run, asked: StepRequest) -> Step:
    """Return the step, or raise No where the job does not hold what it asks for."""
    total = asked.ntasks * asked.cpus
    if total > run.cpus + 1e-6 or asked.memory > run.memory:
        memory = format_memory(asked.memory), format_memory(run.memory)
        asks, has = (f" and {each} of memory" if asked.memory else "" for each in memory)
        raise No(
            TOO_MUCH,
            f"the step asks for more than the job holds: {total:g} CPUs{asks}; "
            f"the job has {run.cpus:g} CPUs{has} on this node",
        )
    command = " ".join(asked.argv)[:255]
    return Step(
        number=0, ntasks=asked.ntasks, cpus=total, memory=asked.memory, name=asked.name, command=command,
        limit=asked.limit,
    )  # fmt: skip


class Clients:
    """All cruns of this node."""

    def __init__(self, herd: Herd, timers: Timers, closer: Closer) -> None:
        """Hook into the herd's news; ``closer`` closes what cruns sent."""
        self._herd = herd
        self._timers = timers
        self._closer = closer
        self._held: Counter[int] = Counter()
        self._by_link: dict[Link, Request] = {}
        self._by_step: dict[tuple[int, int, int], Request] = {}
        self._waiting: dict[tuple[int, int], list[Request]] = {}
        #: ends of steps whose crun was not there, each with the uid that may ask for it
        self._results: dict[tuple[int, int, int], Message] = {}
        self._owners: dict[tuple[int, int, int], int] = {}
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

    def held(self, uid: int) -> int:
        """Return how many descriptors the waiting steps of a user hold."""
        return self._held[uid]

    # -- what cruns say

    def hear(self, link: Link, message: Message) -> None:
        """One frame of a crun. What is malformed is refused by name, and the connection closed with it (Hangup)."""
        try:
            match message.get("op"):
                case "step":
                    self._ask(link, decode.step_request(message))
                case "attach":
                    self._attach(link, decode.attach_request(message))
                case "signal":
                    self._forward(link, decode.signal_number(message))
                case "ping":
                    link.send({"op": "pong"})
                case other:
                    said = f"{other!a:.60}" if isinstance(other, str) else "of no text"
                    raise decode.Malformed(f"unknown op {said}: known are step, attach, signal and ping")
            if link.unclaimed:
                raise decode.Malformed(f"{link.unclaimed} descriptors came that no request names")
        except No as no:
            link.send({"op": "refused", "code": no.code, "text": no.text})
        except decode.Malformed as bad:
            link.send({"op": "refused", "code": MALFORMED, "text": str(bad)})
            raise Hangup(str(bad)) from bad

    def gone(self, link: Link) -> None:
        """A crun has vanished: so does its step."""
        request = self._by_link.pop(link, None)
        if request is None:
            return
        self._release(request)
        waiting = self._waiting.get(request.run.key, [])
        if request in waiting:
            waiting.remove(request)
            return
        key = (*request.run.key, request.step.number)
        if self._by_step.get(key) is request:
            del self._by_step[key]
            self._herd.stop(request.run.key, request.step.number, "orphan")

    def _release(self, request: Request) -> None:
        """Close descriptors that were not handed on."""
        fds, request.fds = request.fds, []
        self._held[request.uid] -= len(fds)
        if self._held[request.uid] <= 0:
            del self._held[request.uid]
        for fd in fds:
            self._closer.close(request.uid, fd)

    def _mine(self, link: Link, id_: int) -> Run:
        runs = [run for run in self._herd.ledger.runs.values() if run.id == id_ and not run.guest]
        if not runs:
            raise No(NOT_RUNNING, f"job {id_} is not running on this node")
        run = max(runs, key=lambda one: one.run)
        if link.peer()[1] not in (run.uid, 0):
            raise No(NOT_YOURS, f"job {id_} belongs to another user")
        if run.draining or run.primary.cause:
            raise No(NOT_RUNNING, f"job {id_} is ending")
        return run

    def _ask(self, link: Link, asked: StepRequest) -> None:
        run = self._mine(link, asked.job)
        step = _fitting(run, asked)
        if link in self._by_link:
            raise No(MALFORMED, "one step for one connection")
        request = Request(link, run, step, asked)
        request.fds = link.take_fds(asked.fds)
        self._held[request.uid] += asked.fds
        step.number, run.next_step = run.next_step, run.next_step + 1
        link.send({"op": "numbered", "step": step.number, "run": run.run})
        self._by_link[link] = request
        self._waiting.setdefault(run.key, []).append(request)
        self.pump(run)
        if request.fds:
            link.send({"op": "waiting", "step": step.number})

    def _attach(self, link: Link, asked: AttachRequest) -> None:
        key = (asked.job, asked.run, asked.step)
        owner = self._owners.get(key)
        if owner is not None and link.peer()[1] in (owner, 0):
            del self._owners[key]
            link.send(self._results.pop(key))
            return
        run = self._mine(link, asked.job)
        step = run.steps.get(asked.step)
        if run.run == asked.run and step is None and asked.step not in run.past:
            link.send({"op": "again"})  # a step is journalled before it is started: this one never was
            return
        if step is None or run.run != asked.run:
            text = f"step {asked.job}.{asked.step} is not known any more: it ended while the shepherd was away"
            raise No(NOT_RUNNING, text)
        if link in self._by_link or key in self._by_step or step.number == PRIMARY:
            raise No(MALFORMED, f"step {asked.job}.{asked.step} has its crun")
        request = self._by_link[link] = Request(link, run, step)
        self._by_step[key] = request

    def _forward(self, link: Link, number: int) -> None:
        request = self._by_link.get(link)
        if request is None or number not in _SIGNALS:
            raise decode.Malformed("a signal without a step, or one that is not passed on")
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
        asked, step = request.asked, request.step
        if asked is None:
            return
        step.suspended_s = run.suspended_s
        asked.env.pop("CRANE_PRIMARY_STEP_ID", None)  # its caller's, where that is the script
        slurm = "SLURM_JOB_ID" in asked.env
        if slurm:
            asked.env.update(of_step(asked.env, step.ntasks))
        template = {
            "argv": with_prolog(run.hooks.get("task_prolog", ""), asked.argv),
            "env": asked.env, "cwd": asked.cwd, "umask": asked.umask, "append": True,
            "hooks": {"task_epilog": run.hooks.get("task_epilog", "")},
        }  # fmt: skip
        tasks: list[tuple[dict[str, str], list[int]]] = []
        self._by_step[(*run.key, step.number)] = request
        try:
            for task in range(step.ntasks):
                own = of_task(step.number, task, slurm=slurm)
                tasks.append((own, [os.dup(request.fds[at]) for at in asked.io[3 * task : 3 * task + 3]]))
            self._herd.start_step(run, step, template, tasks)
        except OSError as exc:
            for _, fds in tasks:
                for fd in fds:
                    os.close(fd)  # not the last of them: the request has its own
            text = f"the node's journal or its table of open files takes no more: {exc}"
            request.link.send({"op": "refused", "code": MALFORMED, "text": text})
            del self._by_step[(*run.key, step.number)]
            self._by_link.pop(request.link, None)
            return
        finally:
            self._release(request)
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
            self._results[key], self._owners[key] = answer, run.uid
        else:
            self._answer(request, answer)
        # After the herd has taken the step off its run.
        self._timers.at(0.0, lambda: self.pump(run))

    def _answer(self, request: Request, answer: Message) -> None:
        request.link.send(answer)
        self._by_link.pop(request.link, None)
        self._release(request)

    def _run_over(self, run: Run) -> None:
        for request in self._waiting.pop(run.key, []):
            self._answer(request, {"op": "exit", "status": [None] * request.step.ntasks, "cause": "job"})
        for key in [key for key in self._results if key[:2] == run.key]:
            del self._results[key], self._owners[key]
