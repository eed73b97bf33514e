"""The supervisor: starts the processes of a cluster, starts again what dies, and stops all of it on SIGTERM.

One thread, asleep in sigtimedwait until a child dies, somebody asks it to stop, or a pause before a restart is over.
The server comes first; the others start, all at once, when it answers, since a Celery process that finds no broker
waits for seconds before it asks again.
"""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from crane_celery.grammar.printable import visible
from crane_celery.settings import Settings
from crane_celery.supervisor import backoff, logs, pidfiles, stop
from crane_celery.supervisor.ping import answers
from crane_celery.supervisor.processes import record_of
from crane_celery.supervisor.roles import SERVER, Role

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: between two looks at a server that is starting: it has no way to tell
_LOOK_S = 0.02
#: between two looks at the size of the logs
_TIDY_S = 60.0


@dataclass(slots=True)
class _Child:
    """One role and its present process; ``pid`` 0 = none."""

    role: Role
    pid: int = 0
    started_at: float = 0.0  # monotonic
    pause_s: float = 0.0
    due_at: float = 0.0  # monotonic time of the next start


class Supervisor:
    """Keeps the roles of one cluster alive."""

    def __init__(self, settings: Settings, roles: list[Role]) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._children = [_Child(role) for role in roles]
        self._waits_for_server = any(role.name == SERVER for role in roles)

    def run(self) -> None:
        """Until SIGTERM, SIGINT or SIGHUP; then stop everything."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            self._start_due()
            found = signal.sigtimedwait(_SIGNALS, self._sleep_s())
            if found is None:
                self._tidy()
            elif found.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                say(f"asked to stop by signal {found.si_signo}")
                stop.everything(self._settings)
                return

    def _start_due(self) -> None:
        if self._waits_for_server and answers(self._settings.server_url):
            self._waits_for_server = False
        now = time.monotonic()
        for child in self._children:
            held = self._waits_for_server and child.role.name != SERVER
            if not child.pid and not held and child.due_at <= now:
                self._start(child)

    def _start(self, child: _Child) -> None:
        """Start a role, as the leader of a session of its own: a Ctrl-C at the terminal is not meant for it."""
        child.started_at = time.monotonic()
        try:
            child.pid = _spawn(child.role.argv, child.role.env, self._settings.log_dir, child.role.name)
        except OSError as error:
            self._over(child, f"cannot be started: {error}")
            return
        record = record_of(child.pid)
        if record:
            with contextlib.suppress(OSError):  # a full disk: `crane down` finds it by its mark
                pidfiles.write(self._settings.run_dir, child.role.name, record)

    def _reap(self) -> None:
        """Take note of every child that has died: one SIGCHLD may stand for several."""
        by_pid = {child.pid: child for child in self._children if child.pid}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in by_pid:
                self._over(by_pid[pid], f"ended with {os.waitstatus_to_exitcode(status)}")

    def _over(self, child: _Child, how: str) -> None:
        now = time.monotonic()
        child.pause_s = backoff.pause(child.pause_s, now - child.started_at)
        child.due_at = now + child.pause_s
        child.pid = 0
        pidfiles.remove(self._settings.run_dir, child.role.name)
        say(f"{child.role.name} {how}; next start in {child.pause_s:g} s")

    def _sleep_s(self) -> float:
        """Seconds until something may have to be done without a signal."""
        if self._waits_for_server and any(child.pid for child in self._children):
            return _LOOK_S
        now = time.monotonic()
        return min((max(0.0, child.due_at - now) for child in self._children if not child.pid), default=_TIDY_S)

    def _tidy(self) -> None:
        with contextlib.suppress(OSError):
            logs.cap(self._settings.log_dir)


def _spawn(argv: tuple[str, ...], env: Mapping[str, str], folder: str, name: str) -> int:
    log = logs.open_log(folder, name)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigmask=())
    finally:
        os.close(log)


def say(text: str) -> None:
    """One line in the supervisor's log, with the local time."""
    with contextlib.suppress(OSError):  # a full disk must not end the supervisor
        os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {visible(text)}\n".encode())
