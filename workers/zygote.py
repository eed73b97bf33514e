"""The zygote: forks spawners, and has never seen a launch. Standard library only.

A spawner is forked, since users may not be able to read the daemons' Python; and not from the shepherd, whose memory
may hold other users' environments: a process of another user is no place for them, dumpable or not. The zygote has the
shepherd's arguments, so that whoever looks for a shepherd's family finds it; one that is killed is started anew. A
spawner is handed to the shepherd (a subreaper) as its child, and so are the orphans that it leaves.
"""

import contextlib
import errno
import json
import os
import signal
import socket
import stat
import sys
from functools import cache
from typing import NoReturn

from workers import spawner
from workers.privileges import PR_SET_DUMPABLE, be_called, prctl

_FD = 3
#: what the shepherd's family is known by, where it has one (crane_celery.supervisor.marks); never a user's process
MARK_FD = 198
#: seconds that it may take to fork: one that does not answer is left to itself
_ANSWER_S = 10.0
_MOST = 1 << 16  # bytes of a request: a user's groups (65,536 at most, in practice dozens)


class Zygote:
    """The shepherd's end."""

    def __init__(self) -> None:
        """Start one, in the shepherd's own cgroup, with nothing of it but its standard descriptors."""
        self._start()

    def _start(self) -> None:
        self._sock, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.settimeout(_ANSWER_S)
        actions = [(os.POSIX_SPAWN_DUP2, fd, at) for fd, at in ((other.fileno(), _FD), *marks())]
        with other:
            argv = [*sys.orig_argv, "zygote"]
            self.pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)

    def fork(self, listener: int, journal: int, user: tuple[int, int, list[int]], *, no_new_privs: bool) -> int:
        """A new spawner's pid. Raises OSError; ConnectionError when the zygote died: by then there is another one, and
        a spawner may have been made that nobody knows, so the next needs a listener of its own."""
        try:
            socket.send_fds(self._sock, [json.dumps([user, no_new_privs]).encode()], [listener, journal])
            answer = self._sock.recv(64)
        except (ConnectionError, TimeoutError):
            answer = b""
        if not answer:
            self._sock.close()
            self._start()
            raise ConnectionResetError("the zygote was killed")
        if not int(answer):
            raise OSError(errno.ENOMEM, "the host has no room for another process")
        return int(answer)

    def close(self) -> None:
        """Let it end."""
        self._sock.close()


@cache
def marks() -> list[tuple[int, int]]:
    """Return the mark of this process as a pair of descriptors to hand on, [] where it has none. To be asked first at
    the start, when nothing else can have that number."""
    try:
        return [(MARK_FD, MARK_FD)] if stat.S_ISREG(os.fstat(MARK_FD).st_mode) else []
    except OSError:
        return []


def serve() -> None:
    """Body of the zygote: fork on request, until the shepherd is gone."""
    be_called("crane-zygote")
    prctl(PR_SET_DUMPABLE, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=_FD) as sock:
        while True:
            request, fds, _, _ = socket.recv_fds(sock, _MOST, 2)
            if not request:
                return
            for fd in fds:  # recv_fds of Python 3.11 passes no flags on, such as MSG_CMSG_CLOEXEC
                os.set_inheritable(fd, False)
            pid = _fork(request, *fds)
            for fd in fds:
                os.close(fd)
            with contextlib.suppress(ConnectionError):
                sock.send(b"%d" % pid)


def _fork(request: bytes, listener: int, journal: int) -> int:
    """A spawner's pid, 0 when there is no room; its parent, a process in between, has gone then."""
    read, write = os.pipe()
    try:
        between = os.fork()
    except OSError:
        between = -1
    if between == 0:
        _between(request, listener, journal, write)
    os.close(write)
    with open(read, "rb") as answer:
        pid = int(answer.read() or 0)  # until the spawner, too, has closed its copy
    if between > 0:
        os.waitpid(between, 0)
    return pid


def _between(request: bytes, listener: int, journal: int, write: int) -> NoReturn:
    with contextlib.suppress(OSError):
        if (pid := os.fork()) == 0:
            user, no_new_privs = json.loads(request)
            own = [fd for fd, _ in marks()]
            spawner.main(socket.socket(fileno=listener), journal, user, own, no_new_privs=no_new_privs)
        os.write(write, b"%d" % pid)
    os._exit(0)
