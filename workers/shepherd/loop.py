"""The shepherd: one per node, looks after all user processes there and outlives the worker. Standard library only.

Started by the worker (``workers.agent.shepherd_start``) as ``python -I -S -c ... <config as JSON>``; detached; found
again by its socket; a lock on ``shepherd.lock`` in the spool keeps a second away. One loop: frames from the agent, from
spawners and from cruns, ends of adopted processes, timers. After each turn the journal is written, then what was
learned is reported.
"""

import contextlib
import fcntl
import json
import logging
import os
import resource
import selectors
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from crane_celery import faults, log_lines, trust
from crane_celery.wire.link import Hangup, Link, Message
from crane_celery.wire.node import RunBegan, begins, ends
from workers.cgroup import favour, probe
from workers.common.proc import PR_SET_DUMPABLE, be_called, marks, prctl, start_ticks
from workers.shepherd import selftest
from workers.shepherd.cgroup_pool import Pens
from workers.shepherd.closing import Closer
from workers.shepherd.connections import Connections
from workers.shepherd.decode_own import spawner_events
from workers.shepherd.journal import Ledger
from workers.shepherd.launching import Launching
from workers.shepherd.listener import LOOK_S, Doorstep
from workers.shepherd.output_notes import OutputNotes
from workers.shepherd.prolog import Hooks
from workers.shepherd.records import PRIMARY
from workers.shepherd.recovery import Adopted, Recovery
from workers.shepherd.runs import Herd
from workers.shepherd.spawners import Nursery, Outpost
from workers.shepherd.steps import Clients
from workers.shepherd.task_epilog import TaskEpilogs
from workers.shepherd.time_limits import Reins
from workers.shepherd.timers import Timers

log = logging.getLogger("crane.shepherd")

_PR_SET_CHILD_SUBREAPER = 36
_MAX_STRAYS = 1000
#: connections taken in one turn: who connects without end must not keep the others waiting
_MAX_ACCEPTED = 64
#: seconds between two looks at spawners, while there are runs
_LOOK_S = 5.0


def boot_id() -> str:
    """Names this boot of the host."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


class Shepherd:
    """The loop."""

    def __init__(self, config: Message) -> None:
        """``config``: node, cluster, run and spool (directories), cgroup (a driver), no_new_privs, dynmods, devices."""
        self._selector = selectors.DefaultSelector()
        self._agent: Link | None = None
        self._told = 0
        self._strays: OrderedDict[tuple[int, int], tuple[int, float]] = OrderedDict()
        self._acks: list[tuple[Outpost, list[str]]] = []
        self._stopping = False
        self._look_at = 0.0
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # given up to turn a connection away
        self._wake = self._signals()
        self._driver = probe(
            config["cluster"], config["node"], want=config["cgroup"], devices=bool(config.get("devices"))
        )
        if config.get("dynmods") and self._driver.controllers and os.geteuid() == 0:
            favour()
        self._timers = Timers()
        self._ledger = Ledger(config["spool"] + "/journal", boot_id())
        self._pens = Pens(self._driver, {run.pen for run in self._ledger.runs.values()})
        closer = Closer()
        self._nursery = Nursery(
            config["run"], config["spool"], self._driver, self._watch, self._unwatch, closer.close
        )  # fmt: skip
        self._nursery.no_new_privs = bool(config.get("no_new_privs"))
        self._herd = Herd(self._ledger, self._pens, self._nursery, self._timers)
        self._launching = Launching(self._herd)
        self._clients = Clients(self._herd, self._timers, closer)
        self._connections = Connections(self._selector, closer, self._clients.held)
        self._reins = Reins(self._herd)
        self._reins.on_resume = self._clients.resumed
        self._hooks = Hooks(self._herd)
        TaskEpilogs(self._herd)
        OutputNotes(self._herd)
        self._adopted = Adopted(self._register_pid, self._unregister_pid)
        self._recovery = Recovery(self._herd, self._nursery, self._adopted, self._strays, self._reap)
        self._hooks.recover()
        self._recovery.restart()
        self._clients.expect_back()
        self._tell()
        self._doorstep = Doorstep(config, self._selector, self._nursery.renew_sockets)
        self._look_at_door()

    def _look_at_door(self) -> None:
        self._doorstep.look()
        self._timers.at(time.monotonic() + LOOK_S, self._look_at_door)

    @staticmethod
    def _signals() -> int:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        return read

    def _register_pid(self, fd: int, key: str) -> None:
        self._selector.register(fd, selectors.EVENT_READ, ("pid", key))

    def _unregister_pid(self, fd: int) -> None:
        self._selector.unregister(fd)

    def _watch(self, post: Outpost) -> None:
        self._selector.register(post.link, selectors.EVENT_READ, ("post", post))

    def _unwatch(self, post: Outpost) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(post.link)

    # -- the loop

    def run(self) -> None:
        """Until told to stop and nothing runs."""
        self._selector.register(self._wake, selectors.EVENT_READ, ("signal", None))
        while not (self._stopping and not self._ledger.runs):
            self._turn(self._selector.select(self._connections.wait(self._timers.wait())))
        self._doorstep.close()
        self._nursery.stop()
        self._pens.close()

    def _turn(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        """The node's own work first; then users' requests, as far as this turn's time goes."""
        self._driver.tick()
        self._look()
        foreign = []
        for key, _ in ready:
            kind, what = key.data
            if kind == "link" and what is not self._agent:
                foreign.append(what)
            else:
                self._serve(kind, what)
        self._timers.run()
        self._connections.turn(foreign, self._hear_link)
        for link in self._connections.stalled():
            self._drop(link)
        self._tell()
        self._flush()

    def _look(self) -> None:
        """Now and then, while anything runs: end spawners that do not answer."""
        now = time.monotonic()
        if now < self._look_at or not self._ledger.runs:
            return
        self._look_at = now + _LOOK_S
        self._timers.at(self._look_at, lambda: None)
        for post in self._nursery.end_silent():
            log.warning("spawner %d of uid %d does not answer: ended", post.pid, post.user[0])

    def _serve(self, kind: str, what: Any) -> None:
        """One source that is ready. A fault costs that source only: it is closed where it would come again at once."""
        try:
            match kind:
                case "new":
                    self._accept()
                case "signal":
                    self._on_signal()
                case "pid" if self._adopted.watches(what):  # else it was reaped in this very turn
                    self._herd.events(None, [self._adopted.ended(what)])
                case "post":
                    self._hear_spawner(what)
                case "link":
                    self._hear_link(what)
        except Exception:
            faults.record(f"the shepherd could not serve its {kind}", what if isinstance(what, str) else "")

    def _on_signal(self) -> None:
        with contextlib.suppress(BlockingIOError):
            numbers = os.read(self._wake, 4096)
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                self._stopping = True  # what runs is waited for
        self._reap()

    def _reap(self) -> None:
        """Spawners that ended, and children of dead ones; those that are watched are left to their pidfd."""
        with contextlib.suppress(ChildProcessError):
            while (info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                pid = info.si_pid
                if pid in self._adopted.pids:
                    self._herd.events(None, [self._adopted.ended(self._adopted.pids[pid])])
                    continue
                status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
                if pid in self._nursery.pids:
                    self._nursery.pids.discard(pid)
                    self._hooks.ended(pid, status)
                else:
                    self._stray(pid, status)
                os.waitpid(pid, 0)

    def _stray(self, pid: int, status: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == pid:
                self._strays[pid, start_ticks(pid)] = (status, time.monotonic())
        if len(self._strays) > _MAX_STRAYS:
            self._strays.popitem(last=False)

    def _accept(self) -> None:
        """Take the connections that wait: one left there wakes us again. Without a descriptor it is turned away."""
        try:
            for _ in range(_MAX_ACCEPTED):
                self._connections.admit(self._doorstep.accept())
        except BlockingIOError:
            return
        except OSError:
            os.close(self._spare)
            with contextlib.suppress(OSError):
                self._doorstep.accept().close()
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _hear_spawner(self, post: Outpost) -> None:
        try:
            post.heard_at = time.monotonic()
            for message in post.link.receive():
                self._acks.append((post, self._herd.events(post, spawner_events(message))))
        except Hangup:
            self._lose(post)
        except Exception:  # what it says makes no sense: another one takes over from its journal
            faults.record("a spawner's report failed: uid", post.user[0])
            post.end()
            self._lose(post)

    def _lose(self, post: Outpost) -> None:
        self._nursery.lose(post)
        self._reap()
        self._recovery.spawner_died(post)

    def _hear_link(self, link: Link) -> None:
        try:
            for message in link.receive():
                if link is self._agent or (message.get("op") == "agent" and link.peer()[1] == os.geteuid()):
                    self._obey(link, message)
                else:
                    self._clients.hear(link, message)
            self._connections.check(link)
        except Hangup:
            self._drop(link)
        except Exception:
            faults.record("a request of a user failed: uid", self._connections.links.get(link, -1))
            self._drop(link)

    def _drop(self, link: Link) -> None:
        self._clients.gone(link)
        if link is self._agent:
            self._agent = None
        self._connections.drop(link)

    # -- the agent

    def _obey(self, link: Link, message: Message) -> None:
        match message["op"]:
            case "agent":
                self._welcome(link)
            case "launch":
                self._launch(link, message)
            case "ack":
                self._ledger.ack(message["seq"])
            case "kill":
                _each(message["rows"], self._stop_or_signal)
            case "orders":
                _each(message["rows"], self._order)
            case "keep":
                self._keep(link, {(id_, run) for id_, run in message["live"]})
            case "test":
                link.send({"op": "tested", "faults": selftest.faults(self._ledger, self._pens)})
            case "stop":
                self._stopping = True

    def _stop_or_signal(self, row: list[Any]) -> None:
        id_, run, number, *rest = row
        step = rest[0] if rest else PRIMARY
        if number:
            self._herd.signal((id_, run), step, number)
        else:
            self._herd.stop((id_, run), step, "cancel")

    def _order(self, row: list[Any]) -> None:
        id_, run, wanted = row
        if wanted.get("go"):
            self._hooks.free((id_, run))
        self._reins.order((id_, run), wanted)

    def _welcome(self, link: Link) -> None:
        if self._agent is not None and self._agent is not link:
            self._drop(self._agent)
        self._agent = link
        runs = [list(key) for key in self._ledger.runs]
        link.send({"op": "hello", "pid": os.getpid(), "driver": self._driver.name, "runs": runs})
        begun = begins(self._ledger.reports.values())
        for key, run in self._ledger.runs.items():
            if run.primary.began and key not in begun:
                self._ledger.report(RunBegan(*key, run.primary.began), durable=False)
        self._told = 0

    def _keep(self, link: Link, live: set[tuple[int, int]]) -> None:
        """Keep what the store knows as live here, end all else; say which of it is unknown."""
        self._herd.kill_all_but(live)
        ended = ends(self._ledger.reports.values())
        missing = live - set(self._ledger.runs) - ended
        with contextlib.suppress(OSError):
            self._ledger.commit()  # an answer says that what came before it stands
        closed = missing & self._ledger.closed.keys()
        link.send({"op": "missing", "rows": sorted(missing), "closed": sorted(closed)})

    def _launch(self, link: Link, message: Message) -> None:
        if self._stopping:
            return
        try:
            self._launching.launch(message["jobs"], message["rows"])
        except OSError as exc:
            log.error("no start: the journal takes no more: %s", exc)
            keys = [(id_, run) for id_, run, *_ in message["rows"]]
            keys = [key for key in keys if key not in self._ledger.runs and key not in self._ledger.closed]
            for key in keys:  # they start elsewhere: a late message must not start them here
                self._ledger.bury(key)
            why = f"the node's journal cannot be written: {exc.strerror}"
            link.send({"op": "unable", "rows": keys, "why": why})

    def _tell(self) -> None:
        """The journal first; then the spawners may forget and the agent is told."""
        with contextlib.suppress(OSError):
            self._ledger.commit()
            for post, keys in self._acks:
                self._recovery.acknowledge(post, keys)
            self._acks.clear()
        if self._agent is not None and self._ledger.seq > self._told:
            rows = [[seq, *row] for seq, row in self._ledger.reports.items() if seq > self._told]
            self._told = self._ledger.seq
            if rows:
                self._agent.send({"op": "reports", "rows": rows})

    def _flush(self) -> None:
        """Wait for writability only where something waits."""
        for link in [*self._connections.links, *(post.link for post in self._nursery.posts.values())]:
            if link.waiting:
                link.flush()
            try:
                key = self._selector.get_key(link)
            except KeyError:
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.waiting else 0)
            if key.events != wanted:
                self._selector.modify(link, wanted, key.data)


def _each(rows: list[Any], act: Callable[[Any], None]) -> None:
    """Do it for every row; one that fails costs the others nothing."""
    for row in rows:
        try:
            act(row)
        except Exception:
            faults.record(f"{act.__name__} failed on", row)


def main(text: str) -> None:
    """Body of the process; ends at once when another shepherd has the node."""
    config = json.loads(text)
    log_lines.install()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    os.umask(0o022)
    os.chdir("/")
    faults.keep_in(config.get("log", config["run"]), f"shepherd.{config['node']}")
    # in the spool, with the journal: the run directory may lie in /tmp and get lost
    lock = trust.opened(config["spool"] + "/shepherd.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    be_called("crane-shepherd")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)
    log.info("shepherd of %s, pid %d", config["node"], os.getpid())
    for fd, _ in marks():
        os.set_inheritable(fd, False)  # the fork server is given it, and no program around a job
    Shepherd(config).run()
