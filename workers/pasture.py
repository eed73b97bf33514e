"""Finds a node's shepherd, starting it where there is none. Used by the worker's agent, tests and the bench."""

import json
import os
import pathlib
import selectors
import signal
import sys
import time

from workers.frames import Link, Message, connect

_BOOT = "import sys; sys.path.append(sys.argv[1]); from workers.shepherd import main; main(*sys.argv[2:])"
_ROOT = str(pathlib.Path(__file__).resolve().parents[1])
#: seconds that a shepherd may take to recover and listen
_START_S = 30.0
#: pids of shepherds that this process started and has not reaped
_started: set[int] = set()


def find(config: Message, log: str) -> Link:
    """A connection to the node's shepherd (workers.shepherd.Shepherd tells of ``config``). Raises OSError."""
    for key, mode in (("run", 0o755), ("spool", 0o711)):
        os.makedirs(config[key], mode=mode, exist_ok=True)
    path = config["run"] + "/shepherd.sock"
    pid = 0
    until = time.monotonic() + _START_S
    while True:
        try:
            return connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                raise
        bury()
        if pid not in _started:
            pid = start(config, log)
        _pause(pid)


def start(config: Message, log: str) -> int:
    """Start a shepherd, detached: it takes nothing of the worker's but its log file. One too many ends by itself."""
    argv = [sys.executable, "-I", "-S", "-c", _BOOT, _ROOT, json.dumps(config)]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
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
            return
        one.register(fd, selectors.EVENT_READ)
        one.select(0.02)
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
