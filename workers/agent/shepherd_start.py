"""Finds a node's shepherd, starting it where there is none. Used by the worker's agent, tests and the bench."""

import json
import os
import pathlib
import selectors
import signal
import sys
import time

from crane_celery.wire.link import Link, Message, connect
from workers.common import run_directory
from workers.common.proc import MARK_FD

_BOOT = "import sys; sys.path.append(sys.argv[1]); from workers.shepherd.loop import main; main(*sys.argv[2:])"
_ROOT = str(pathlib.Path(__file__).resolve().parents[2])
#: seconds that a shepherd may take to recover and listen
_START_S = 30.0
#: seconds between two starts: one that ended at once, since another has the node, is of no use the next moment
_AGAIN_S = 0.25
_PAUSE_S = 0.02
#: pids of shepherds that this process started and has not reaped
_started: set[int] = set()


def find(config: Message, log: str) -> Link:
    """A connection to the node's shepherd (workers.shepherd.Shepherd tells of ``config``). Raises OSError."""
    os.makedirs(config["spool"], mode=0o711, exist_ok=True)
    path = config["run"] + "/shepherd.sock"
    pid = 0
    until = time.monotonic() + _START_S
    started_at = -_AGAIN_S
    while True:
        try:
            run_directory.prepare(config["run"])
            return connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                raise
        bury()
        if pid not in _started and time.monotonic() - started_at >= _AGAIN_S:
            pid, started_at = start(config, log), time.monotonic()
        _pause(pid)


def start(config: Message, log: str) -> int:
    """Start a shepherd, detached: it takes nothing of the worker's but its log file. One too many ends by itself.

    ``config["mark"]``, where it is there, is the file that it is known by (crane_celery.supervisor.marks).
    """
    argv = [sys.executable, "-I", "-S", "-c", _BOOT, _ROOT, json.dumps(config)]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
            *([(os.POSIX_SPAWN_OPEN, MARK_FD, config["mark"], os.O_RDONLY, 0)] if config.get("mark") else []),
        ]
        pid = os.posix_spawn(sys.executable, argv, _environment(), file_actions=actions, setsid=True)
    finally:
        os.close(output)
    _started.add(pid)
    return pid


def bury() -> None:
    """Reap shepherds that we started and that have ended."""
    for pid in list(_started):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            ended = True
        if ended:
            _started.discard(pid)


def _environment() -> dict[str, str]:
    """Nothing but the mark by which `crane down` finds the daemons of a cluster; jobs never inherit it."""
    return {"PATH": os.defpath, **{name: os.environ[name] for name in ("CRANE_DAEMON",) if name in os.environ}}


def _pause(pid: int) -> None:
    """Until that process ends, or 20 ms have passed: a socket that will be there has no event of its own."""
    with selectors.DefaultSelector() as one:
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            time.sleep(_PAUSE_S)
            return
        one.register(fd, selectors.EVENT_READ)
        one.select(_PAUSE_S)
        os.close(fd)


def kill(link: Link) -> None:
    """SIGKILL the process at the other end, through a pidfd (tests of recovery)."""
    fd = os.pidfd_open(link.peer()[0])
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        with selectors.DefaultSelector() as one:
            one.register(fd, selectors.EVENT_READ)
            one.select(10)
    finally:
        os.close(fd)
