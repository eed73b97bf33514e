"""The fork server: forks spawners, and has never seen a launch. Standard library only.

A spawner is forked, since users may not be able to read the daemons' Python; and not from the shepherd, whose memory
may hold other users' environments: a process of another user is no place for them, dumpable or not. The server has the
same configuration among its arguments as its shepherd, so that whoever looks for a shepherd's family finds it; one that
is killed is started anew. A spawner is handed to the shepherd (a subreaper) as its child, and so are orphans that it
leaves.
"""

import contextlib
import json
import os
import signal
import socket
from typing import NoReturn

from workers.common.proc import FORK_FD, PR_SET_DUMPABLE, be_called, marks, prctl
from workers.spawner import spawner

_MOST = 1 << 16  # bytes of a request: a user's groups (65,536 at most, in practice dozens)


def main(*_config: str) -> None:
    """Body of the fork server: fork on request, until the shepherd is gone."""
    be_called("crane-forker")
    prctl(PR_SET_DUMPABLE, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=FORK_FD) as sock:
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
