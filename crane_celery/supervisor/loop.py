"""The supervisor: starts the processes of a cluster, starts again what dies, and stops all of it on SIGTERM.

One thread, asleep in sigtimedwait until a child dies, somebody asks it to stop, or a pause before a restart is over.
The server comes first; the others start, all at once, when it answers, since a Celery process that finds no broker
waits for seconds before it asks again.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass

from crane_celery.errors import CraneError
from crane_celery.grammar.printable import visible
from crane_celery.settings import Settings
from crane_celery.supervisor import backoff, census, datalock, logs, marks, pidfiles, stop, upkeep
from crane_celery.supervisor.lock import Lock
from crane_celery.supervisor.ping import answers
from crane_celery.supervisor.processes import end, record_of, send
from crane_celery.supervisor.roles import SERVER, Role

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: between two looks at a server that is starting: it has no way to tell
_LOOK_S = 0.02
#: between two looks at the run directory, and at the size of the logs
_UPKEEP_S, _TIDY_S = 5.0, 60.0
#: what an earlier server, or a fork of it, may take to end before the next can start
_OLD_SERVER_S = 2.0


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

    def __init__(self, settings: Settings, roles: list[Role], held: Lock | None = None) -> None:
        """Nothing is started yet. ``held``: the home's lock, whose file is made again where it is lost."""
        self._settings = settings
        self._held = held
        self._upkeep_at = time.monotonic() + _UPKEEP_S
        self._tidy_at = time.monotonic() + _TIDY_S
        self._said = ""
        self._children = [_Child(role) for role in roles]
        self._waits_for_server = any(role.name == SERVER for role in roles)

    def run(self) -> None:
        """Until SIGTERM, SIGINT or SIGHUP; then stop everything."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            self._start_due()
            found = signal.sigtimedwait(_SIGNALS, self._sleep_s())
            self._keep_up()
            if found is None:
                continue
            if found.si_signo == signal.SIGCHLD:
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
            child.pid = self._spawn(child.role)
        except (OSError, CraneError) as error:
            self._over(child, f"cannot be started: {error}")
            return
        self._note(child)

    def _spawn(self, role: Role) -> int:
        """The pid of a new process of this role. Raises OSError, CraneError."""
        settings = self._settings
        lock = self._data_lock() if role.name == SERVER else -1
        log = logs.open_log(settings.log_dir, role.name)
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                *([(os.POSIX_SPAWN_DUP2, lock, datalock.FD)] if lock >= 0 else []),
                (os.POSIX_SPAWN_OPEN, marks.FD, marks.prepare(settings.home, role.name), os.O_RDONLY, 0),
            ]
            return os.posix_spawn(
                role.argv[0], role.argv, role.env, file_actions=actions, setsid=True, setsigmask=()
            )  # fmt: skip
        finally:
            os.close(log)
            if lock >= 0:
                os.close(lock)

    def _data_lock(self) -> int:
        """The lock of the data, for the server to inherit; forks of the one before, which still hold it, are ended.
        Raises CraneError, OSError."""
        try:
            return datalock.take(self._settings.home)
        except CraneError:
            end(census.of(marks.found(self._settings.home), SERVER), _OLD_SERVER_S)
            return datalock.take(self._settings.home)

    def _note(self, child: _Child) -> None:
        if record := record_of(child.pid):
            with contextlib.suppress(OSError, CraneError):  # a full disk: `crane down` finds it by its mark
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
        due = [child.due_at for child in self._children if not child.pid]
        return max(0.0, min([*due, self._upkeep_at]) - now)

    def _keep_up(self) -> None:
        """Now and then: make again what of the run directory is lost, and cut long logs."""
        now = time.monotonic()
        if now < self._upkeep_at:
            return
        self._upkeep_at = now + _UPKEEP_S
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_S
            with contextlib.suppress(OSError, CraneError):
                logs.cap(self._settings.log_dir)
        try:
            self._mend()
        except (OSError, CraneError) as error:
            self._say_once(f"the run directory cannot be mended: {error}")
        else:
            self._said = ""

    def _mend(self) -> None:
        if self._held:
            self._held.renew()
        running = {child.role.name: child for child in self._children if child.pid}
        for name in upkeep.mend(self._settings, running):
            say(f"the pid file of {name} was gone: written again")
            self._note(running[name])
        server = running.get(SERVER)
        if server and not self._waits_for_server and not upkeep.has_socket(self._settings):
            say("the server's socket is gone: starting the server again, its data stay")
            if record := record_of(server.pid):
                send(record, signal.SIGTERM)

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(text)


def say(text: str) -> None:
    """One line in the supervisor's log, with the local time."""
    with contextlib.suppress(OSError):  # a full disk must not end the supervisor
        os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {visible(text)}\n".encode())
