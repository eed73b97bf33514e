"""Finds a node's shepherd, starting it where there is none. Used by the worker's agent, tests and the bench."""

import contextlib
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import time

from workers.frames import Link, Message, connect

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from workers.shepherd import main; main(sys.argv[2])"
_ROOT = str(pathlib.Path(__file__).resolve().parents[1])
#: seconds that a shepherd may take to recover and listen
_START_S = 30.0


def find(config: Message, log: str | None = None) -> Link:
    """A connection to the node's shepherd (workers.shepherd.Shepherd tells of ``config``). Raises OSError."""
    for key, mode in (("run", 0o755), ("spool", 0o711)):
        os.makedirs(config[key], mode=mode, exist_ok=True)
    path = config["run"] + "/shepherd.sock"
    process: subprocess.Popen[bytes] | None = None
    until = time.monotonic() + _START_S
    while True:
        try:
            return connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                raise
        if process is None or process.poll() is not None:
            process = start(config, log)
        _pause(process)


def start(config: Message, log: str | None = None) -> "subprocess.Popen[bytes]":
    """Start a shepherd, detached: it takes nothing of the worker's but its output file."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(log, "ab")) if log else subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, _ROOT, json.dumps(config)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
            restore_signals=True, env={"PATH": os.defpath},
        )  # fmt: skip


def _pause(process: "subprocess.Popen[bytes]") -> None:
    """Until that process ends, or 20 ms have passed: a socket that will be there has no event of its own."""
    with selectors.DefaultSelector() as one:
        try:
            fd = os.pidfd_open(process.pid)
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
