"""The spawner: one per user and node, already that user, parent of that user's processes. Standard library only.

It is forked (not exec'd: the daemons' Python may lie where users cannot read) from the fork server, drops to the user,
becomes non-dumpable, and from then on does three things: it spawns what the shepherd asks for, it journals and
reports how that ended, and it answers a new shepherd's question for its table. It outlives the shepherd; it ends by
itself after a while without children.

Order of a start: files are opened as the user; the cgroup is entered through descriptors that the shepherd opened; the
process is spawned with a session of its own; the start is journalled; and only when the spawner is home again is it
reported (workers.cgroup.api says why).
"""

import contextlib
import errno
import os
import resource
import selectors
import signal
import socket
import sys
import time
from typing import Any, NamedTuple, NoReturn

from crane_celery.grammar.printable import visible
from crane_celery.wire import node
from crane_celery.wire.link import Hangup, Link, Message
from crane_celery.wire.node import Exited, Failed, Noted, Started, StartRow
from workers.common import exit_journal
from workers.common.proc import PR_SET_NO_NEW_PRIVS, be_called, become, prctl, start_ticks
from workers.spawner.epilog_context import Kept, Todo
from workers.spawner.files import Files, Refusal, add_line, open_files

#: seconds without children and work after which it ends
IDLE_S = 300.0
#: starts between two looks at what has ended, and between two reports
CHUNK = 24
_DEFAULTS = [signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ]


class Child(NamedTuple):
    """A process that runs."""

    key: str
    pid: int
    start: int
    began: float


class Spawner:
    """The loop and its table."""

    def __init__(self, listener: socket.socket, journal: int, owner: int) -> None:
        """Serve connections of uid ``owner`` (the shepherd's) on a listening socket; journal to a descriptor."""
        self._listener = listener
        self._journal = journal
        self._owner = owner
        self._link: Link | None = None
        self._children: dict[int, Child] = {}
        self._over: dict[str, list[Any]] = {}  # ended, not yet acknowledged
        self._kept = Kept()
        self._pens: dict[str, list[int]] = {}
        self._home: list[int] = []
        self._away = False
        self._stop = False
        self._rows: list[list[Any]] = []
        self._busy_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake = _child_pipe()
        self._selector.register(listener, selectors.EVENT_READ, "new")
        self._selector.register(self._wake, selectors.EVENT_READ, "child")

    def run(self) -> None:
        """Until idle for long."""
        while not self._idle():
            wait = None if self._children else IDLE_S
            for key, _ in self._selector.select(wait):
                self._serve(key.data)
            self._reap()
            self._report()

    def _idle(self) -> bool:
        if self._children:  # ends that nobody has taken stand in the journal
            self._busy_at = time.monotonic()
            return False
        return self._stop or time.monotonic() - self._busy_at >= IDLE_S

    def _serve(self, what: str) -> None:
        if what == "new":
            self._accept()
        elif what == "child":
            with contextlib.suppress(BlockingIOError):
                self._stop |= signal.SIGTERM in os.read(self._wake, 4096)
        else:
            self._hear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            link = Link(self._listener.accept()[0])
            if link.peer()[1] != self._owner:
                link.close()
                return
            while self._link is not None:  # the shepherd before this one is dead: take what it had sent, to the end
                self._hear()
                if self._link is not None:
                    selectors_wait(self._link.sock)
            self._link = link
            self._selector.register(link, selectors.EVENT_READ, "link")
            self._table()

    def _table(self) -> None:
        self._rows.clear()  # all of it is in the table
        assert self._link is not None
        live = [node.row(Started(*child)) for child in self._children.values()]
        self._link.send({"op": "table", "pid": os.getpid(), "rows": live + list(self._over.values())})

    def _hear(self) -> None:
        link = self._link
        assert link is not None
        try:
            for message in link.receive():
                self._obey(link, message)
        except Hangup:
            self._selector.unregister(link)
            link.close()
            self._link = None
            self._busy_at = time.monotonic()
        if link.waiting:
            link.flush()

    def _obey(self, link: Link, message: Message) -> None:
        self._busy_at = time.monotonic()
        match message["op"]:
            case "run":
                self._run(link, message)
            case "ack":
                for key in message["keys"]:
                    self._over.pop(key, None)
                    self._kept.drop(key)
                self._trim()
            case "pen":
                self._drop(message["name"])
                self._pens[message["name"]] = link.take_fds(message["fds"])
            case "drop":
                self._drop(message["name"])
            case "note":
                add_line(message["path"], message["text"])
                self._rows.append(node.row(Noted(message["key"])))
            case "stop":
                self._stop = True
            case "home":
                self._home = link.take_fds(message["fds"])
            case "listen":
                self._listen(link.take_fds(1)[0])

    def _listen(self, fd: int) -> None:
        """The socket that we listened on has lost its name: here is one that a later shepherd can find."""
        self._selector.unregister(self._listener)
        self._listener.close()
        self._listener = socket.socket(fileno=fd)
        self._selector.register(self._listener, selectors.EVENT_READ, "new")

    def _drop(self, name: str) -> None:
        for fd in self._pens.pop(name, ()):
            os.close(fd)

    def _trim(self) -> None:
        """An empty table needs no journal."""
        if not self._children and not self._over and os.fstat(self._journal).st_size > 1 << 20:
            with contextlib.suppress(OSError):
                os.ftruncate(self._journal, 0)

    # -- starting

    def _run(self, link: Link, message: Message) -> None:
        rows, jobs = [StartRow(*row) for row in message["rows"]], message["jobs"]
        for at in range(0, len(rows), CHUNK):
            ready = [todo for row in rows[at : at + CHUNK] if (todo := self._prepare(link, row, jobs)) is not None]
            for todo in ready:
                self._start(todo)
            self._go_home()
            self._reap()
            self._report()

    def _prepare(self, link: Link, row: StartRow, jobs: dict[str, dict[str, Any]]) -> Todo | None:
        key, what = row.key, jobs[row.template]
        try:
            if "follows" in what:
                return self._kept.follow(row, what["follows"])
            os.umask(what["umask"])
            files = (
                self._given(link, what, row.fds)
                if row.fds
                else open_files(what["cwd"], row.paths, append=what["append"])
            )
        except Refusal as no:
            self._fail(key, no.stage, no.number, no.text)
            return None
        except Exception as exc:  # whatever it is, it costs this start only
            self._fail(key, "spawn", errno.EINVAL, f"cannot prepare the start: {type(exc).__name__}: {exc}")
            return None
        return Todo(key, what, row, files)

    @staticmethod
    def _given(link: Link, what: dict[str, Any], count: int) -> Files:
        """The caller's own descriptors (crun), where a path does not replace them."""
        from workers.spawner.files import directory

        stdin, stdout, stderr = link.take_fds(count)
        try:
            return Files(directory(what["cwd"]), stdin, stdout, stderr)
        except BaseException:
            for fd in (stdin, stdout, stderr):
                os.close(fd)
            raise

    def _start(self, todo: Todo) -> None:
        key, what, files = todo.key, todo.what, todo.files
        try:
            self._enter(todo.row.leaf)
        except OSError as exc:
            number = exc.errno or errno.EINVAL
            self._fail(key, "cgroup", number, f"cannot enter the job's cgroup: {os.strerror(number)}")
            files.close()
            return
        try:
            os.umask(what["umask"])
            os.fchdir(files.cwd)
            pid = _spawn(what["argv"], {**what["env"], **todo.row.environ}, files)
        except OSError as exc:
            self._fail(key, *_why(exc, what["argv"]))
        except Exception as exc:  # a NUL, half a surrogate, no text at all: the kernel was not asked
            self._fail(key, "exec", errno.EINVAL, f"cannot be run: {exc}")
        else:
            self._began(key, pid, what.get("rlimits", ()))
            files = self._kept.keep(todo)
        finally:
            files.close()

    def _enter(self, pen: str) -> None:
        if not self._pens.get(pen):
            return
        self._away = True
        for fd in self._pens[pen]:
            os.write(fd, b"0")

    def _go_home(self) -> None:
        os.chdir("/")
        if self._away:
            for fd in self._home:
                with contextlib.suppress(OSError):
                    os.write(fd, b"0")
            self._away = False

    def _began(self, key: str, pid: int, rlimits: list[tuple[int, int]]) -> None:
        for kind, value in rlimits:
            with contextlib.suppress(OSError, ValueError):
                resource.prlimit(pid, kind, (value, value))
        now = time.monotonic()
        start = start_ticks(pid)
        exit_journal.append(self._journal, exit_journal.started(key, pid, start, now))
        self._children[pid] = Child(key, pid, start, now)
        self._rows.append(node.row(Started(key, pid, start, now)))

    def _fail(self, key: str, stage: str, number: int, text: str) -> None:
        now = time.monotonic()
        exit_journal.append(self._journal, exit_journal.failed(key, stage, number, now, text))
        self._note(Failed(key, stage, number, text, now))

    # -- ends

    def _reap(self) -> None:
        """Journal first, reap after: a child whose end nobody has written down stays to be waited for."""
        if not self._children:
            return
        while (info := _ended()) is not None:
            child = self._children.pop(info.si_pid, None)
            status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
            now = time.monotonic()
            if child is not None:
                exit_journal.append(self._journal, exit_journal.exited(child.key, status, now))
            _, _, usage = os.wait4(info.si_pid, 0)
            if child is not None:
                cpu_s = round(usage.ru_utime + usage.ru_stime, 6)
                peak = usage.ru_maxrss * 1024
                self._note(Exited(child.key, status, child.began, now, cpu_s, peak))

    def _note(self, event: Failed | Exited) -> None:
        self._over[event.key] = row = node.row(event)
        self._rows.append(row)

    def _report(self) -> None:
        if self._rows and self._link is not None:
            self._link.send({"op": "events", "rows": self._rows})
        self._rows = []  # without a shepherd: the table has it
        if self._link is not None and self._link.waiting:
            selectors_flush(self._link)


def _ended() -> Any:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None


def _spawn(argv: list[str], env: dict[str, str], files: Files) -> int:
    actions = [
        (os.POSIX_SPAWN_DUP2, files.stdin, 0),
        (os.POSIX_SPAWN_DUP2, files.stdout, 1),
        (os.POSIX_SPAWN_DUP2, files.stderr, 2),
    ]
    return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULTS)


def _why(exc: OSError, argv: list[str]) -> tuple[str, int, str]:
    number = exc.errno or errno.EINVAL
    if number == errno.E2BIG:
        return "spawn", number, "arguments and environment are larger than the kernel takes: Argument list too long"
    if number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return "spawn", number, f"cannot start a process: {os.strerror(number)}"
    return "exec", number, f"{argv[0]}: {os.strerror(number)}"


def selectors_wait(sock: socket.socket) -> None:
    """Block until a socket has something to read."""
    with selectors.DefaultSelector() as one:
        one.register(sock, selectors.EVENT_READ)
        one.select()


def selectors_flush(link: Link) -> None:
    """Block until all is sent or the other side has gone: a shepherd always reads."""
    with selectors.DefaultSelector() as one:
        one.register(link, selectors.EVENT_WRITE)
        while link.waiting:
            one.select()
            link.flush()


def _child_pipe() -> int:
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return read


def main(
    listener: socket.socket, journal: int, user: tuple[int, int, list[int]], own: list[int], *, no_new_privs: bool
) -> NoReturn:
    """Body of the forked process: never returns into the fork server's code. ``own``: descriptors that no child
    inherits."""
    status = 1
    try:
        os.setsid()
        os.chdir("/")
        be_called("crane-spawner")
        owner = os.geteuid()
        keep = {listener.fileno(), journal, 0, 1, 2, *own}
        for fd in own:
            os.set_inheritable(fd, False)
        for fd in (int(name) for name in os.listdir("/proc/self/fd")):
            if fd not in keep:
                with contextlib.suppress(OSError):
                    os.close(fd)
        if no_new_privs:
            prctl(PR_SET_NO_NEW_PRIVS, 1)
        become(*user)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        Spawner(listener, journal, owner).run()
        status = 0
    except BaseException as exc:
        sys.stderr.write(visible(f"spawner of uid {user[0]}: {type(exc).__name__}: {exc}") + "\n")
        sys.stderr.flush()
    os._exit(status)
