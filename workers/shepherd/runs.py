"""Define what the shepherd does with runs: accept, start, hear of, stop, drain, close. Acts through pens, nursery
and ledger.

Rules: a run is journalled before it is started and its end before it is told; nothing is killed in a cgroup while a
start is under way there; a run is over when its script is over, its steps are, and its cgroup is empty.
"""

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from crane_celery.wire.node import Exited, Failed, Noted, RunBegan, SpawnerEvent, Started
from workers.cgroup import PRIMARY, SPAWN_KEY, CgroupError, JobGroup, Leaf, Usage
from workers.cgroup.procs import send
from workers.shepherd import memory_deaths
from workers.shepherd.cgroup_pool import Pens
from workers.shepherd.journal import Key, Ledger
from workers.shepherd.kernel_log import KernelLog
from workers.shepherd.records import SCRIPT, Ending, Run, Step, leaf_name, parse_key, step_report, task_key
from workers.shepherd.spawners import Nursery, Outpost, Start
from workers.shepherd.timers import Timers

log = logging.getLogger("crane.runs")

#: what a spawner tells of a task, or of its epilog
TaskEvent = Started | Failed | Exited

#: seconds after which a KILL that has not ended a step is sent again
_KILL_AGAIN_S = 1.0
_POLL_S = (0.005, 0.5)  # first and longest pause between two looks at a group that empties


class Herd:
    """All runs of this node."""

    def __init__(self, ledger: Ledger, pens: Pens, nursery: Nursery, timers: Timers) -> None:
        """Go on with the runs of the ledger."""
        self.ledger = ledger
        self.pens = pens
        self.nursery = nursery
        self.timers = timers
        self._kernel_log = KernelLog()
        for run in ledger.runs.values():
            with contextlib.suppress(KeyError):
                self.leaf(run, PRIMARY).count_deaths_from(run.deaths_before)
        #: told of each common step that ended, and of each run that is about to end
        self.on_step: Callable[[Run, Step], None] = lambda _run, _step: None
        self.on_run: Callable[[Run], None] = lambda _run: None
        #: told of each run whose script has begun, and of each that is going to be stopped
        self.on_begin: Callable[[Run], None] = lambda _run: None
        self.before_stop: Callable[[Run], None] = lambda _run: None
        #: of runs with hooks: given each start that waits for a prolog; whether an empty group may be closed
        self.on_hold: Callable[[Run, Start], None] = lambda _run, _start: None
        self.on_empty: Callable[[Run], bool] = lambda _run: True
        #: told of each task that ended, and of what a spawner says of a task's epilog
        self.on_exit: Callable[[Run, Step, int], None] = lambda _run, _step, _task: None
        #: of runs with memory deaths: given a sentence for their output; whether they may be closed
        self.on_deaths: Callable[[Run, str], bool] = lambda _run, _sentence: True
        self.on_noted: Callable[[Key], None] = lambda _key: None
        self.on_epilog: Callable[[Run, Step, int, TaskEvent], None] = lambda _run, _step, _task, _event: None

    # -- starting

    def dispatch(self, run: Run, start: Start) -> None:
        """Start what waited for its prolog."""
        self.send((run.uid, run.gid), run.groups, [start])

    def send(self, user: tuple[int, int], groups: list[int], starts: list[Start]) -> None:
        """Hand starts to the user's spawner; where that cannot be had they have failed."""
        try:
            self.nursery.send(user, groups, starts)
        except (OSError, CgroupError) as exc:
            stage, number = ("spawn", exc.errno or 0) if isinstance(exc, OSError) else ("cgroup", 0)
            now = time.monotonic()
            self.events(None, [Failed(start.key, stage, number, str(exc), now) for start in starts])

    def resend(self, user: tuple[int, int], starts: list[Start]) -> None:
        """Start anew what a dead spawner had not begun. A crun's descriptors went with it: such a step fails."""
        again = []
        for start in starts:
            run = self.ledger.runs.get(parse_key(start.key)[0])
            if run is not None and parse_key(start.key)[1:] == (PRIMARY, 0):
                again.append(start)
            else:
                text = "the spawner was killed before the step began; start it again"
                self.events(None, [Failed(start.key, "spawn", 0, text, time.monotonic())])
        if again:
            self.send(user, self.ledger.runs[parse_key(again[0].key)[0]].groups, again)

    def start_step(
        self, run: Run, step: Step, template: dict[str, Any], tasks: list[tuple[dict[str, str], Any]]
    ) -> None:
        """Start a crun step's tasks; each with its environment and its own descriptors. Raises OSError (journal)."""
        run.steps[step.number] = step
        run.next_step = max(run.next_step, step.number + 1)
        step.flying = len(tasks)
        mark = self.ledger.mark()
        self.ledger.step(run, step)
        try:
            self.ledger.commit()
        except OSError:
            self.ledger.rollback(mark)
            del run.steps[step.number]
            raise
        leaf = self.leaf(run, step.number)
        for task, (environ, fds) in enumerate(tasks):
            own = {**environ, SPAWN_KEY: leaf.key}
            start = Start(
                task_key(run, step.number, task), f"{run.id}.{step.number}", template, own, ("", "", ""), leaf,
                leaf_name(run, step.number), tuple(fds),
            )  # fmt: skip
            self.send((run.uid, run.gid), run.groups, [start])

    def leaf(self, run: Run, step: int) -> Leaf:
        """The leaf of a step."""
        return self.pens[run.pen].leaf(step)

    def group(self, run: Run) -> JobGroup:
        """The run's group."""
        return self.pens[run.pen]

    # -- hearing

    def events(self, post: Outpost | None, events: Sequence[SpawnerEvent]) -> list[str]:
        """Take what a spawner tells; returns the keys whose end is now with us (to acknowledge once journalled)."""
        over = []
        for event in events:
            key = event.key
            if isinstance(event, Noted):
                self.on_noted(parse_key(key)[0])
                continue
            if post is not None:
                post.sent.pop(key, None)
            if not isinstance(event, Started):
                over.append(key)
            run_key, number, task = parse_key(key)
            run = self.ledger.runs.get(run_key)
            step = None if run is None else run.steps.get(number)
            if run is not None and step is not None and task not in step.status:
                self._event(run, step, task, event)
        return over

    def _event(self, run: Run, step: Step, task: int, event: TaskEvent) -> None:
        if task < 0:
            self.on_epilog(run, step, ~task, event)
        elif isinstance(event, Started):
            self._began(run, step, task, event.pid, event.start, event.at)
        elif isinstance(event, Failed):
            self._landed(step)
            step.status[task] = None
            step.cause, step.number_text, step.ended = step.cause or event.stage, (event.number, event.text), event.at
        else:
            if task not in step.pids:
                self._began(run, step, task, 0, 0, event.began)
            step.status[task] = event.status
            step.ended = event.ended
            step.cpu_s += event.cpu_s
            step.peak = max(step.peak, event.peak)
            self.on_exit(run, step, task)
        if not run.flying:
            self._pay(run)
        if step.over:
            self._step_over(run, step)

    @staticmethod
    def _landed(step: Step) -> None:
        step.flying = max(0, step.flying - 1)

    def _began(self, run: Run, step: Step, task: int, pid: int, start: int, when: float) -> None:
        if task in step.pids:
            return
        self._landed(step)
        step.pids[task] = (pid, start)
        if pid:
            self.leaf(run, step.number).adopt(pid)
        if step.began:
            return
        step.began = when
        if step.number == PRIMARY:
            self.ledger.report(RunBegan(run.id, run.run, when), durable=False)
            self.on_begin(run)
        else:
            self.ledger.report(step_report(run, step), durable=False)
            self.on_step(run, step)

    def _pay(self, run: Run) -> None:
        for step in list(run.steps.values()):
            owed, step.owed = step.owed, []
            for number in owed:
                self._signal(run, step, number)

    # -- stopping

    def stop(self, key: Key, step: int, cause: str) -> None:
        """TERM, grace, KILL. The first cause counts; asking again changes nothing. An unknown run gets a tombstone."""
        run = self.ledger.runs.get(key)
        if run is None:
            if key not in self.ledger.closed:
                self.ledger.bury(key)
            return
        found = run.steps.get(step)
        if found is None or found.over or (key, step) in self.ledger.stops:
            return
        if found.done:
            self._cut(run, found)
            return
        self.ledger.stop(key, step, cause, time.monotonic())
        self.terminate(run, found, cause, time.monotonic())

    def terminate(self, run: Run, step: Step, cause: str, since: float) -> None:
        """Send TERM, and KILL when the grace that began at ``since`` is over."""
        step.cause = step.cause or cause
        if step.number == PRIMARY:
            self.before_stop(run)
        for each in run.steps.values() if step.number == PRIMARY else ():
            each.cause = each.cause or "job"  # the signal goes to all of the job's group
        self._signal(run, step, signal.SIGTERM)
        self.timers.at(since + run.grace, lambda: self._kill(run, step))

    def _cut(self, run: Run, step: Step) -> None:
        """Its tasks are over and only epilogs are not: end those now; how it ended stands."""
        for each in run.steps.values() if step.number == PRIMARY else ():
            each.cause = each.cause or ("job" if each is not step else "")
        self._signal(run, step, signal.SIGKILL)

    def _kill(self, run: Run, step: Step) -> None:
        """KILL, again until the step is over: a process may be missed in the moment of a fork or an exec."""
        if self._lives(run, step):
            self.timers.at(time.monotonic() + _KILL_AGAIN_S, lambda: self._kill(run, step))
            self._signal(run, step, signal.SIGKILL)

    def _lives(self, run: Run, step: Step) -> bool:
        return run.key in self.ledger.runs and not step.over and run.steps.get(step.number) is step

    def signal(self, key: Key, step: int, number: int) -> None:
        """Send one signal to a step (SCRIPT: to the script's own process); nothing when it is not there."""
        run = self.ledger.runs.get(key)
        if run is not None and step == SCRIPT and self._lives(run, run.primary):
            mine = {pid for pid, _ in run.primary.pids.values()}
            run.primary.killed |= number == signal.SIGKILL
            leaf = self.leaf(run, PRIMARY)
            send(lambda: [pid for pid in leaf.pids() if pid in mine], number)
        elif run is not None and step in run.steps:
            self._signal(run, run.steps[step], number)

    def _signal(self, run: Run, step: Step, number: int) -> None:
        if not self._lives(run, step):
            return
        if run.flying:
            step.owed.append(number)
            if number == signal.SIGKILL:
                self._kill_own(run, step)
            return
        target = self.group(run) if step.number == PRIMARY else self.leaf(run, step.number)
        target.signal(number)
        if number == signal.SIGKILL:
            memory_deaths.killed_by_us(run, step)
        if number == signal.SIGTERM:
            target.signal(signal.SIGCONT)  # a stopped process does not hear

    def _kill_own(self, run: Run, step: Step) -> None:
        """Kill a step's processes one by one: its spawner may be among them, on its way through the cgroup."""
        target = self.group(run) if step.number == PRIMARY else self.leaf(run, step.number)
        spawners = {post.pid for post in self.nursery.posts.values()}
        send(lambda: [pid for pid in target.pids() if pid not in spawners], signal.SIGKILL)

    # -- ending

    def _step_over(self, run: Run, step: Step) -> None:
        if step.number == PRIMARY:
            run.draining = True
            self.on_run(run)
            self.drain(run, _POLL_S[0])
            return
        leaf = self.leaf(run, step.number)
        if not (run.native and self.nursery.orphanless()) and leaf.pids():
            leaf.kill()  # what a task left behind
        if memory_deaths.of_step(run, step, leaf.deaths(), self._kernel_log):
            self.ledger.memory(run)
        self.ledger.report(step_report(run, step), durable=True)
        self.on_step(run, step)
        self.ledger.drop_step(run, step.number)
        leaf.close()
        self.nursery.drop(leaf_name(run, step.number))

    def drain(self, run: Run, pause: float) -> None:
        """Kill what is left of a run whose script is over; close it when nothing is. Looked at again and again."""
        if self.ledger.runs.get(run.key) is not run:
            return
        try:
            if self._drained(run):
                return
        except (OSError, CgroupError) as exc:  # no descriptor to read its group with, for a moment
            log.warning("run %d.%d cannot be closed yet: %s", run.id, run.run, exc)
        self.timers.at(time.monotonic() + pause, lambda: self.drain(run, min(pause * 2, _POLL_S[1])))

    def _drained(self, run: Run) -> bool:
        """Return whether there is nothing more to be done here: it is closed, or its epilog will have it closed."""
        group = self.group(run)
        empty = not run.flying and (self._bare(run) or group.empty())
        if empty and len(run.steps) == 1:
            if not run.hooks or self.on_empty(run):
                self._close(run, group)
            return True
        for step in run.steps.values():
            if step.number != PRIMARY:
                step.cause = step.cause or "job"
        if not empty and not run.flying:
            group.signal(signal.SIGKILL)
        return False

    def _bare(self, run: Run) -> bool:
        """Return whether it is sure, without asking its group, that no process of it is left."""
        steps = run.steps.values()
        return run.native and all(step.over for step in steps) and self.nursery.orphanless()

    def _close(self, run: Run, group: JobGroup) -> None:
        step, bare = run.primary, self._bare(run) and not self.pens.driver.controllers
        usage = Usage(0.0, 0, 0, 0) if bare or not step.began else group.usage()  # without cgroups: of the living only
        own = self.leaf(run, PRIMARY).deaths() if usage.oom_kills else 0
        deaths = own + run.memory_deaths
        if deaths and not self.on_deaths(run, memory_deaths.sentence(run, deaths)):
            return
        cause = memory_deaths.of_script(run, own, self._kernel_log)
        number, text = step.number_text
        text = text or memory_deaths.untold(run, cause, self.pens.driver)
        cpu_s, peak = max(usage.cpu_s, step.cpu_s), usage.memory_peak or step.peak
        self.tell_end(run.key, Ending(step.worst, cause, step.began, step.ended, cpu_s, peak, number, text, deaths))
        if run.suspended_at:
            group.thaw()  # killed from outside while frozen: the next run in this group must not freeze
        if not self.pens.put(run.pen, bare=bare):
            self.nursery.drop(run.pen)
            self.timers.at(time.monotonic() + 1.0, self.pens.sweep)

    def tell_end(self, key: Key, ending: Ending) -> None:
        """Report how a run ended, and close it."""
        self.ledger.report(ending.of_run(key), durable=True)
        self.ledger.close(key)

    def lost(self, run: Run, step: Step, task: int) -> None:
        """Nobody will ever know how this task ended."""
        now = time.monotonic()
        self._event(run, step, task, Exited(task_key(run, step.number, task), None, step.began, now, 0.0, 0))

    def kill_all_but(self, live: set[Key]) -> None:
        """Stop every run that the store does not know as live here: it was written off."""
        for key in [key for key in self.ledger.runs if key not in live]:
            with contextlib.suppress(KeyError):
                self.stop(key, PRIMARY, "stale")
                self.signal(key, PRIMARY, signal.SIGKILL)
