"""Prolog and Epilog: the administrators' programs around a run, as the daemon's own user (docs/hooks.md).

They run on each node of a run. On the script's the start waits until the other nodes' prologs have ended well, too
(``free``); on the others the run is a *guest*: after its prolog it stays, with nothing of it running, until it is told
to stop, which is when the script has ended.

A run is held before its start until its prolog has ended well, and before its close until its epilog has ended. The
loop never waits for either: both are children that are reaped like all others. A program that fails or takes too long
drains the node; without a prolog's success the run fails. After a kill of the shepherd a program that was under way is
ended and runs again: what it does must bear that.
"""

import contextlib
import logging
import os
import signal
import time
from functools import partial
from typing import Any

from crane_celery.wire.node import Failed, NodeUnfit, RunBegan
from workers.common.proc import start_ticks
from workers.shepherd.records import PRIMARY, Run, status_text, task_key
from workers.shepherd.runs import Herd
from workers.shepherd.spawners import Start

log = logging.getLogger("crane.hooks")

_RETRY_S = 1.0
_DEFAULTS = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD]
#: stages of a run (records.Run.stage)
PROLOG, GUEST, EPILOG, DONE = "prolog", "guest", "epilog", "done"


class Hooks:
    """The programs that run now."""

    def __init__(self, herd: Herd) -> None:
        """Takes the herd's hooks for held starts and empty groups, and shares that for stops."""
        self._herd = herd
        self._held: dict[tuple[int, int], Start] = {}
        self._running: dict[int, tuple[Run, str]] = {}  # pid -> whose, and which
        self._late: set[int] = set()
        self._waiting: set[tuple[int, int]] = set()  # for guests: their own prolog is over
        self._free: set[tuple[int, int]] = set()  # their guests are ready
        self._before_stop, herd.before_stop = herd.before_stop, self._stopping
        herd.on_hold, herd.on_empty = self._hold, self._empty

    def _hold(self, run: Run, start: Start) -> None:
        """Run the prolog; the start waits."""
        self._held[run.key] = start
        if run.hooks[PROLOG]:
            self._begin(run, PROLOG)
        else:
            self._herd.timers.at(0.0, partial(self._ready, run))

    def _empty(self, run: Run) -> bool:
        """Return whether a run of which nothing is left may be closed; its epilog is started where it was not."""
        if run.stage == DONE or not run.hooks[EPILOG]:
            return True
        if run.stage != EPILOG:
            self._begin(run, EPILOG)
        return False

    def _begin(self, run: Run, which: str) -> None:
        path = run.hooks[which]
        run.stage = which
        try:
            pid = _spawn(path, {**run.hooks["env"], "CRANE_HOOK": which, **_outcome(run, which)})
        except OSError as exc:
            text = f"{which} {path} cannot be run: {os.strerror(exc.errno or 0)}"
            self._herd.timers.at(0.0, lambda: self._failed(run, which, text))
            return
        self._running[pid] = run, which
        self._herd.nursery.pids.add(pid)
        run.hook = pid, start_ticks(pid)
        self._herd.ledger.stage(run)
        self._herd.timers.at(time.monotonic() + run.hooks[which + "_s"], lambda: self._overdue(pid, run))

    def _overdue(self, pid: int, run: Run) -> None:
        if self._running.get(pid, (None, ""))[0] is run:  # our child, and not reaped: the pid is its own
            self._late.add(pid)
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

    def ended(self, pid: int, status: int) -> None:
        """Hear of a child that was reaped; of others than ours nothing follows. Acts with the next timers, since
        whoever reaps is in the middle of something."""
        if pid not in self._running:
            return
        run, which = self._running.pop(pid)
        late = pid in self._late
        self._late.discard(pid)
        self._herd.timers.at(0.0, lambda: self._ended(run, which, status, late=late))

    def _ended(self, run: Run, which: str, status: int, *, late: bool) -> None:
        how = f"took longer than {run.hooks[which + '_s']:g} s" if late else _how(status)
        if late or status:
            self._failed(run, which, f"{which} {run.hooks[which]} {how}")
        elif which == PROLOG:
            self._ready(run)
        else:
            self._close(run)

    def _failed(self, run: Run, which: str, text: str) -> None:
        log.error("job %d: %s", run.id, text)
        self._herd.ledger.report(NodeUnfit(f"{text} (job {run.id})"), durable=True)
        if which == PROLOG:
            self._never(run, text)
        else:
            self._close(run)

    def _ready(self, run: Run) -> None:
        """Its prolog went well: start it, once its guests are ready."""
        if run.hooks.get("place") == 0 and run.key not in self._free and not run.primary.cause:
            self._waiting.add(run.key)
        else:
            self._go(run)

    def free(self, key: tuple[int, int]) -> None:
        """All guests of a run are ready; said again and again."""
        run = self._herd.ledger.runs.get(key)
        if run is None or run.stage != PROLOG:
            return
        self._free.add(key)
        if key in self._waiting:
            self._go(run)

    def _go(self, run: Run) -> None:
        """Start it, or let it stay as a guest, unless it was stopped meanwhile."""
        self._waiting.discard(run.key)
        if run.stage != PROLOG:
            return  # it went already
        if run.primary.cause:
            self._never(run, "")
            return
        stage, run.stage = run.stage, GUEST if run.guest else ""
        mark = self._herd.ledger.mark()
        self._herd.ledger.stage(run)
        try:
            self._herd.ledger.commit()
        except OSError:  # from here on a shepherd after us must believe that it was started
            self._herd.ledger.rollback(mark)
            run.stage = stage
            self._herd.timers.at(time.monotonic() + _RETRY_S, lambda: self._go(run))
            return
        self._free.discard(run.key)
        start = self._held.pop(run.key)
        if run.guest:
            self._stay(run)
            self._herd.ledger.report(RunBegan(*run.key, run.primary.began), durable=False)
        else:
            self._herd.dispatch(run, start)

    @staticmethod
    def _stay(run: Run) -> None:
        """It has begun here, though nothing of it runs."""
        run.primary.flying, run.primary.began = 0, time.monotonic()

    def _stopping(self, run: Run) -> None:
        """It is told to stop: what waits for that leaves."""
        self._before_stop(run)
        if run.key in self._waiting:
            self._herd.timers.at(0.0, partial(self._go, run))
        elif run.stage == GUEST:
            self._herd.timers.at(0.0, partial(self._never, run, ""))

    def _never(self, run: Run, text: str) -> None:
        """Nothing of it starts here, or ever will."""
        if run.stage not in (PROLOG, GUEST):
            return
        run.stage = ""
        self._free.discard(run.key)
        self._held.pop(run.key, None)
        self._herd.events(None, [Failed(task_key(run, PRIMARY, 0), PROLOG, 0, text, time.monotonic())])

    def _close(self, run: Run) -> None:
        run.stage = DONE
        if run.key in self._herd.ledger.runs:
            self._herd.drain(run, 0.0)

    def recover(self) -> None:
        """After a restart: end what an earlier shepherd's programs do, forget what waited for a prolog (it is launched
        anew), and go on with what waited for an epilog."""
        for run in list(self._herd.ledger.runs.values()):
            if run.stage:
                _end(*run.hook)
            if run.stage == PROLOG:
                self._herd.pens.put(run.pen)
                self._herd.ledger.forget(run.key)
            elif run.stage == GUEST:
                self._stay(run)
            elif run.stage == EPILOG:
                run.stage, run.draining = "", True
                self._herd.timers.at(0.0, partial(self._herd.drain, run, 0.0))


def _spawn(path: str, env: dict[str, str]) -> int:
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, 2, 1),
    ]
    return os.posix_spawn(path, [path], env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTS)


def _outcome(run: Run, which: str) -> dict[str, str]:
    status = run.primary.worst
    if which == PROLOG or status is None:
        return {}
    return {"CRANE_JOB_EXIT_CODE": status_text(status)}


def _how(status: int) -> str:
    return f"ended with exit code {status}" if status >= 0 else f"was killed by signal {-status}"


def _end(pid: int, start: int) -> None:
    """Kill an earlier shepherd's program with its group, if it is still that one."""
    if pid and start and start_ticks(pid) == start:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
