"""After a kill: which processes live, which ended and how, which never were. Facts from three places, best first: the
living spawner's table, its journal of starts and exits, and the cgroup (or marker) for what nobody wrote down.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable

from crane_celery import faults
from crane_celery.wire.node import Exited, Failed, Started
from workers.cgroup import Leaf
from workers.cgroup.none import marker_of
from workers.common import exit_journal
from workers.common.exit_journal import Known, read
from workers.common.proc import start_ticks
from workers.shepherd.records import PRIMARY, Run, Step, task_key
from workers.shepherd.runs import Herd
from workers.shepherd.spawners import Nursery, Outpost, User, children

log = logging.getLogger("crane.recovery")

_LOOK_S = 0.25
_FRESH_S = 5.0
Strays = dict[tuple[int, int], tuple[int, float]]


class Adopted:
    """Processes whose spawner is dead, watched through pidfds: ours by now, or after a restart strangers."""

    def __init__(self, register: Callable[[int, str], None], unregister: Callable[[int], None]) -> None:
        """``register`` a pidfd under a key with the loop."""
        self._register, self._unregister = register, unregister
        self._by_key: dict[str, tuple[int, int, float]] = {}  # key -> (pidfd, pid, began)
        self.pids: dict[int, str] = {}

    def add(self, key: str, known: Known) -> bool:
        """Watch a process; False when it is not there any more (or another has its pid)."""
        if key in self._by_key:
            return True
        try:
            fd = os.pidfd_open(known.pid)
        except OSError:
            return False
        if known.start and start_ticks(known.pid) != known.start:
            os.close(fd)
            return False
        self._by_key[key] = (fd, known.pid, known.began)
        self.pids[known.pid] = key
        self._register(fd, key)
        return True

    def watches(self, key: str) -> bool:
        """Return whether the end of this one is still awaited."""
        return key in self._by_key

    def ended(self, key: str) -> Exited:
        """The event of one that is over; its status is known when it was our child."""
        fd, pid, began = self._by_key.pop(key)
        self.pids.pop(pid, None)
        status: int | None = None
        cpu_s, peak = 0.0, 0
        with contextlib.suppress(OSError):
            info = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is not None:
                status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
                _, _, usage = os.wait4(pid, 0)
                cpu_s, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        self._unregister(fd)
        os.close(fd)
        return Exited(key, status, began, time.monotonic(), cpu_s, peak)


def known_event(key: str, known: Known) -> Failed | Exited:
    """A journal's knowledge of an end as the event that the spawner would have sent."""
    if known.stage:
        return Failed(key, known.stage, known.number, known.text, known.ended)
    return Exited(key, known.status, known.began, known.ended, 0.0, 0)


class Recovery:
    """Puts the herd right."""

    def __init__(
        self, herd: Herd, nursery: Nursery, adopted: Adopted, strays: Strays, reap: Callable[[], None]
    ) -> None:
        """``reap`` fills ``strays``: (pid, start) -> status and when, of session leaders that nobody knew."""
        self._herd, self._nursery, self._adopted, self._strays, self._reap = herd, nursery, adopted, strays, reap

    def restart(self) -> None:
        """The shepherd is new: go through every run of the ledger."""
        for (key, number), (cause, _) in self._herd.ledger.stops.items():
            run = self._herd.ledger.runs.get(key)
            if run is not None and number in run.steps:
                run.steps[number].cause = cause
        alive: set[User] = set()
        journals: dict[User, dict[str, Known]] = {}
        for user, known, lives in self._nursery.recall():
            journals[user] = known
            post = self._nursery.posts.get(user)
            rows = self._nursery.table(post) if lives and post is not None else None
            if rows is not None and post is not None:
                alive.add(user)
                self._prepare(user)
                self.acknowledge(post, self._herd.events(None, rows))
            elif post is not None:
                self._nursery.lose(post)
                journals[user] = self._nursery_journal(user)
        for run in list(self._herd.ledger.runs.values()):
            user = (run.uid, run.gid)
            if user not in alive:
                self._fly(run)
        doubtful = set(journals) - alive
        for run in list(self._herd.ledger.runs.values()):
            for step in list(run.steps.values()) if not run.stage else ():  # a guest has started nothing
                try:
                    self._settle(run, step, journals.get((run.uid, run.gid), {}), doubtful)
                except Exception:
                    faults.record("recovery failed of run and step", (*run.key, step.number))
        self._resume_stops()

    def _nursery_journal(self, user: User) -> dict[str, Known]:
        return read(self._nursery.journal(user))

    def _prepare(self, user: User) -> None:
        for run in self._herd.ledger.runs.values():
            if (run.uid, run.gid) == user:
                self._fly(run)

    @staticmethod
    def _fly(run: Run) -> None:
        for step in run.steps.values() if not run.stage else ():
            step.flying = step.ntasks - len(step.status)

    @staticmethod
    def acknowledge(post: Outpost, keys: list[str]) -> None:
        """Tell a spawner what it may forget."""
        if keys:
            post.link.send({"op": "ack", "keys": keys})

    def _settle(self, run: Run, step: Step, journal: dict[str, Known], doubtful: set[User]) -> None:
        for task in range(step.ntasks):
            if task in step.status or (task in step.pids and (run.uid, run.gid) not in doubtful):
                continue
            key = task_key(run, step.number, task)
            known = journal.get(key)
            if known is not None:
                self._believe(run, step, task, key, known)
            else:
                self._unknown(run, step, task, doubtful)

    def _believe(self, run: Run, step: Step, task: int, key: str, known: Known) -> None:
        if known.over:
            self._herd.events(None, [known_event(key, known)])
            return
        self._herd.events(None, [Started(key, known.pid, known.start, known.began)])
        if not self._adopted.add(key, known):
            self._herd.lost(run, step, task)

    def _unknown(self, run: Run, step: Step, task: int, doubtful: set[User]) -> None:
        user = (run.uid, run.gid)
        step.flying = max(0, step.flying - 1)
        if self._herd.leaf(run, step.number).pids():
            self._watch(run, step, task)
        elif user in doubtful:  # of those sent, only the first without a start can have been
            doubtful.discard(user)
            self._herd.lost(run, step, task)
        elif step.number == PRIMARY:
            self._herd.pens.put(run.pen)
            self._herd.ledger.forget(run.key)
        else:
            self._herd.lost(run, step, task)

    def _watch(self, run: Run, step: Step, task: int) -> None:
        """Processes of a step that nobody wrote down: it is over when they are gone."""
        if not step.began:
            self._herd.events(None, [Started(task_key(run, step.number, task), 0, 0, time.monotonic())])
        if self._herd.leaf(run, step.number).pids():
            self._herd.timers.at(time.monotonic() + _LOOK_S, lambda: self._watch(run, step, task))
        else:
            self._herd.lost(run, step, task)

    def _resume_stops(self) -> None:
        for (key, number), (cause, since) in list(self._herd.ledger.stops.items()):
            run = self._herd.ledger.runs.get(key)
            step = None if run is None else run.steps.get(number)
            if run is not None and step is not None and not step.over:
                self._herd.terminate(run, step, cause, since)

    def spawner_died(self, post: Outpost) -> None:
        """A spawner is dead, and we are not: its children are ours now, and what it had not begun is begun anew."""
        journal = self._nursery_journal(post.user)
        again = []
        doubtful = True
        for run in [run for run in self._herd.ledger.runs.values() if (run.uid, run.gid) == post.user]:
            for step in list(run.steps.values()):
                for task in step.awaited:
                    key = task_key(run, step.number, task)
                    if key in self._adopted.pids.values():
                        continue
                    known = journal.get(key)
                    if known is not None:
                        self._child(run, step, task, key, known)
        for key, start in post.sent.items():
            if key in journal:
                continue
            if doubtful and self._foundling(post, key, start.leaf):
                doubtful = False
                continue
            doubtful = False
            again.append(start)
        log.warning(
            "spawner %d of uid %d died: %d processes adopted, %d starts made anew, %s",
            post.pid, post.user[0], len(self._adopted.pids), len(again),
            "first of them " + again[0].key if again else "none",
        )  # fmt: skip
        self._herd.resend(post.user, again)

    def _child(self, run: Run, step: Step, task: int, key: str, known: Known) -> None:
        if known.over:
            self._strays.pop((known.pid, known.start), None)  # written down and not yet reaped: it is no foundling
            self._herd.events(None, [known_event(key, known)])
            return
        stray = self._strays.pop((known.pid, known.start), None)
        self._herd.events(None, [Started(key, known.pid, known.start, known.began)])
        if stray is not None:
            status, ended = stray
            self._herd.events(None, [Exited(key, status, known.began, ended, 0.0, 0)])
        elif not self._adopted.add(key, known):
            self._herd.lost(run, step, task)

    def _foundling(self, post: Outpost, key: str, leaf: Leaf) -> bool:
        """The one start that may have happened without being written down: alive, or dead and reaped as a stray.

        Looked for alive first and dead after, so that one that dies meanwhile is not missed. A spawner that an earlier
        shepherd made leaves its children to others: then a dead one cannot be told from none, and counts as lost.
        """
        now = time.monotonic()
        found = self._living(leaf)
        if found:
            self._write(post, exit_journal.started(key, found, start_ticks(found), now))
            self._herd.events(None, [Started(key, found, start_ticks(found), now)])
            if self._adopted.add(key, Known(found, start_ticks(found), now)):
                return True
        self._reap()
        fresh = [pair for pair, (_, when) in self._strays.items() if now - when < _FRESH_S]
        if not found and not fresh and post.ours:
            return False
        status = self._strays.pop(fresh[-1])[0] if fresh else None
        lost = exit_journal.failed(key, "lost", 0, now, "")
        self._write(post, lost if status is None else exit_journal.exited(key, status, now))
        self._herd.events(None, [Exited(key, status, now, now, 0.0, 0)])
        return True

    def _write(self, post: Outpost, line: bytes) -> None:
        """Write down what the dead spawner could not: a shepherd after us must know that this start has been."""
        with open(self._nursery.journal(post.user), "ab", buffering=0) as journal:
            exit_journal.append(journal.fileno(), line)

    def _living(self, leaf: Leaf) -> int:
        known = {*self._adopted.pids, *self._nursery.pids}
        ours = (pid for pid, state in children(os.getpid()).items() if state != "Z" and pid not in known)
        found = next((pid for pid in ours if _is(pid, leaf.key)), 0)
        self._nursery.driver.tick()
        return found or next((pid for pid in leaf.pids() if pid not in known and _leads(pid)), 0)


def _is(pid: int, marker: str) -> bool:
    """Return whether a living process carries this marker, or is on its way to its exec: it looks like us then, or like
    nothing for a moment (and its environment, being that of a process that is not dumpable, may be closed to us)."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            argv = file.read()
            if not argv or argv.startswith(_own_cmdline()):
                return True
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker_of(file.read()) == marker
    return False


def _own_cmdline() -> bytes:
    with open("/proc/self/cmdline", "rb") as file:
        return file.read()


def _leads(pid: int) -> bool:
    """Return whether it leads its session, as everything that a spawner starts."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(pid) == pid
    return False
