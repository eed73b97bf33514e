"""The shepherd's side of the spawners: has them made, finds them again, sends starts, and knows what is on its way."""

import contextlib
import os
import selectors
import signal
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from crane_celery.wire.link import Hangup, Link, connect, listen
from crane_celery.wire.node import SpawnerEvent, StartRow
from workers.cgroup import Driver, Leaf
from workers.cgroup.procs import stat
from workers.common.exit_journal import Known, read
from workers.common.proc import start_ticks
from workers.shepherd.decode import Malformed
from workers.shepherd.decode_own import spawner_events, spawner_pid
from workers.shepherd.fork_client import ForkServer

User = tuple[int, int]
#: seconds that a living spawner may take to answer; it is single-threaded and does nothing that blocks for long
_ANSWER_S = 5.0
_DEATH_S = 5.0
#: seconds without a word while starts are in flight, or between two looks that find it stopped: then it is ended
_SILENT_S = 5.0


class Start(NamedTuple):
    """One process to be: what the spawner needs."""

    key: str
    job: str
    template: dict[str, Any]
    environ: dict[str, str]
    paths: tuple[str, str, str]
    leaf: Leaf
    leaf_name: str  # pen and step: unique among leaves
    fds: tuple[int, ...] = ()  # the caller's own 0, 1, 2 in place of `paths`; closed once they are sent


class Outpost:
    """One spawner as the shepherd sees it."""

    def __init__(self, user: User, link: Link) -> None:
        """A connected spawner."""
        self.user = user
        self.link = link
        self.pid, self.pidfd = 0, -1
        self.ours = False  # our child: its orphans come to us
        self.pens: set[str] = set()
        self.sent: OrderedDict[str, Start] = OrderedDict()  # neither start nor failure heard
        self.heard_at = 0.0  # monotonic; or when the first of those in flight was sent
        self.stopped = False  # when it was looked at last

    def know(self, pid: int, start: int = 0) -> None:
        """Its pid, held fast by a pidfd; with ``start`` (clock ticks) only while it is the process that began then.

        A pid of 0 is not known: whoever made the spawner was killed before it wrote the pid down.
        """
        if pid and self.pidfd < 0:
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(pid)
                if start and start_ticks(pid) != start:
                    os.close(fd)
                else:
                    self.pid, self.pidfd = pid, fd

    def end(self) -> None:
        """Kill it: it does not answer. Its children are adopted, and what it had not started another one starts."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def silent(self, now: float) -> bool:
        """Look at it: whether starts have been in flight without a word for too long, or it is stopped as before."""
        before, self.stopped = self.stopped, state_of(self.pid) in ("T", "t")
        return (before and self.stopped) or (bool(self.sent) and now - self.heard_at > _SILENT_S)

    def bury(self) -> None:
        """Wait until the process is really dead: its connection breaks before its children are ours, and while it is
        dying it may still be seen in a job's cgroup."""
        self.link.close()
        if self.pidfd >= 0:
            with selectors.DefaultSelector() as one:
                one.register(self.pidfd, selectors.EVENT_READ)
                one.select(_DEATH_S)
            os.close(self.pidfd)


class Nursery:
    """All spawners of this node."""

    def __init__(
        self, directory: str, spool: str, driver: Driver,
        watch: Callable[[Outpost], None], unwatch: Callable[[Outpost], None], close_fd: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        """Sockets lie in ``directory``, exit journals in ``spool``; ``watch`` registers a new connection, ``unwatch``
        takes it out again; ``close_fd`` closes a user's descriptor (uid, number)."""
        self._directory = directory
        self._spool = spool
        self.driver = driver
        self._watch, self._unwatch, self._close_fd = watch, unwatch, close_fd
        self.no_new_privs = False
        self.posts: dict[User, Outpost] = {}
        self._fork_server = ForkServer()
        self.pids: set[int] = {self._fork_server.pid}  # of our children that are no job's: spawners and the fork server

    def journal(self, user: User) -> str:
        """Return where a spawner writes its starts and exits."""
        return f"{self._spool}/exits.{user[0]}.{user[1]}"

    def _socket(self, user: User) -> str:
        return f"{self._directory}/s.{user[0]}.{user[1]}"

    def recall(self) -> list[tuple[User, dict[str, Known], bool]]:
        """After a restart: of every spawner its journal, and whether it lives (then its table follows)."""
        found = []
        for name in sorted(os.listdir(self._spool)):
            head, *ids = name.split(".")
            if head == "exits" and len(ids) == 2:
                user = (int(ids[0]), int(ids[1]))
                found.append((user, read(self.journal(user)), self._reach(user)))
        return found

    def _reach(self, user: User) -> bool:
        try:
            link = connect(self._socket(user), close_fd=partial(self._close_fd, user[0]))
        except OSError:
            return False
        self._adopt(user, link)
        return True

    def table(self, post: Outpost) -> list[SpawnerEvent] | None:
        """Wait for a spawner's table, its first frame (and what came with it); None when it died instead."""
        post.know(*self._noted(post.user))
        until = time.monotonic() + (0.0 if state_of(post.pid) in ("T", "t") else _ANSWER_S)
        with selectors.DefaultSelector() as one:
            one.register(post.link, selectors.EVENT_READ)
            while one.select(max(0.0, until - time.monotonic())):
                try:
                    messages = list(post.link.receive())
                    if messages:
                        post.know(spawner_pid(messages[0]))
                        return [event for message in messages for event in spawner_events(message)]
                except (Hangup, Malformed):
                    break
        post.end()
        return None

    def _note(self, post: Outpost) -> None:
        """Write down which process it is, for a shepherd after us that gets no answer."""
        with contextlib.suppress(OSError), open(self._notes(post.user), "w", encoding="ascii") as file:
            file.write(f"{post.pid} {start_ticks(post.pid)}\n")

    def _noted(self, user: User) -> tuple[int, int]:
        try:
            with open(self._notes(user), encoding="ascii") as file:
                pid, start = (int(word) for word in file.read().split())
        except (OSError, ValueError):
            return 0, 0
        return pid, start

    def _notes(self, user: User) -> str:
        return f"{self._spool}/spawner.{user[0]}.{user[1]}"

    def send(self, user: User, groups: list[int], starts: list[Start]) -> None:
        """Have these processes started, in this order. Raises OSError when no spawner can be had."""
        post = self.posts.get(user) or self._fork(user, groups)
        jobs: dict[str, dict[str, Any]] = {}
        rows: list[StartRow] = []
        fds: list[int] = []
        if not post.sent:
            post.heard_at = time.monotonic()
        for start in starts:
            self._pen(post, start)
            jobs[start.job] = start.template
            post.sent[start.key] = start
            rows.append(StartRow(start.key, start.job, start.environ, start.leaf_name, start.paths, len(start.fds)))
            fds += start.fds
        post.link.send({"op": "run", "jobs": jobs, "rows": rows}, fds)
        for start in starts:
            if start.fds:
                post.sent[start.key] = start._replace(fds=())
                for fd in start.fds:
                    os.close(fd)

    def note(self, user: User, groups: list[int], message: dict[str, Any]) -> None:
        """Have a user's spawner write a line into a file of that user. Raises OSError when no spawner can be had."""
        post = self.posts.get(user) or self._fork(user, groups)
        post.link.send(message)

    def _pen(self, post: Outpost, start: Start) -> None:
        if start.leaf_name in post.pens:
            return
        doors = start.leaf.entry_fds()
        if doors:
            post.link.send({"op": "pen", "name": start.leaf_name, "fds": len(doors)}, doors)
        post.pens.add(start.leaf_name)

    def drop(self, pen: str) -> None:
        """Forget a pen, and the steps' leaves in it, everywhere."""
        for post in self.posts.values():
            for name in [name for name in post.pens if name == pen or name.startswith(pen + "/")]:
                post.pens.remove(name)
                post.link.send({"op": "drop", "name": name})

    def _fork(self, user: User, groups: list[int]) -> Outpost:
        try:
            pid, link = self._have_forked(user, groups)
        except ConnectionResetError:  # its fork server was killed; there is another one
            self.pids.add(self._fork_server.pid)
            pid, link = self._have_forked(user, groups)
        post = self._adopt(user, link)
        post.know(pid)
        self._note(post)
        post.ours = True
        return post

    def _have_forked(self, user: User, groups: list[int]) -> tuple[int, Link]:
        journal = os.open(self.journal(user), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            with listen(self._socket(user), 0o600) as listener:
                pid = self._fork_server.fork(
                    listener.fileno(), journal, (*user, groups), no_new_privs=self.no_new_privs
                )
                self.pids.add(pid)
                close_fd = partial(self._close_fd, user[0])
                # connected while we hold the listener: a spawner that died at once just hangs up
                return pid, connect(self._socket(user), close_fd=close_fd)
        finally:
            os.close(journal)

    def _adopt(self, user: User, link: Link) -> Outpost:
        post = self.posts[user] = Outpost(user, link)
        home = self.driver.home()
        if home:
            link.send({"op": "home", "fds": len(home)}, home)
        self._watch(post)
        return post

    def orphanless(self) -> bool:
        """Return whether no process that our spawners' children left behind is alive: it would be our child
        (subreaper).

        A question of one system call, where asking a job's group without cgroups reads all of /proc. False when it
        cannot be said: another shepherd's spawner is there, or the kernel has no CONFIG_PROC_CHILDREN.
        """
        if not all(post.ours for post in self.posts.values()):
            return False
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
                return self.pids.issuperset(map(int, file.read().split()))
        except OSError:
            return False

    def renew_sockets(self) -> None:
        """Give spawners whose sockets have lost their names new ones, for a shepherd after us. Raises OSError."""
        for user, post in self.posts.items():
            if not os.path.lexists(self._socket(user)):
                with listen(self._socket(user), 0o600) as listener:
                    post.link.send({"op": "listen"}, [listener.fileno()])

    def stop(self) -> None:
        """Let every spawner end when it has no child left."""
        for post in self.posts.values():
            post.link.send({"op": "stop"})
        self._fork_server.close()

    def end_silent(self) -> list[Outpost]:
        """Kill spawners that do not answer (a user may stop them); returns them."""
        now = time.monotonic()
        silent = [post for post in self.posts.values() if post.silent(now)]
        for post in silent:
            post.end()
        return silent

    def lose(self, post: Outpost) -> None:
        """Its connection broke: it has died, or ended because it was idle."""
        self._unwatch(post)
        post.bury()
        if self.posts.get(post.user) is post:
            del self.posts[post.user]


def state_of(pid: int) -> str:
    """The kernel's letter for the state of a process, "" when there is none."""
    known = stat(pid) if pid else None
    return known.state if known else ""


def children(pid: int) -> dict[int, str]:
    """pid -> state letter of every child of a process."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                if int(fields[1]) == pid:
                    found[int(name)] = fields[0].decode()
    return found
