"""``crane down``: stop everything that belongs to the cluster on this host, also after a crash of its supervisor."""

from __future__ import annotations

import os
import signal

from cli.common.main import say
from cli.common.options import Parser
from crane_celery import trust
from crane_celery.errors import SystemFault
from crane_celery.settings import Settings, home_of, load
from crane_celery.supervisor import census, lock, marks, stop
from crane_celery.supervisor.processes import Record, send, wait_gone

#: the supervisor's own stopping takes less (supervisor.stop)
_SUPERVISOR_S = 9.5


def down(argv: list[str]) -> int:
    """Stop the cluster of ``--config`` or ``--home`` (else ``$CRANE_HOME``). Idempotent.

    Raises SystemFault when something is left.
    """
    parser = Parser("crane down", "Stop the cluster of this host: daemons, steps, and what a crash left of them.")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    asked = parser.parse(argv)
    where = os.path.abspath(asked.home) if asked.home else home_of()
    os.environ["CRANE_HOME"] = where
    if os.path.isdir(where):
        trust.directory(where)
    if not os.path.exists(os.environ.get("CRANE_CONFIG") or os.path.join(where, "config.yaml")):
        return _without_configuration(where)
    settings = load()
    with lock.changing(settings.home, wait=False):
        return _take_down(settings)


def _take_down(settings: Settings) -> int:
    """Raises SystemFault when something is left, Untrusted where the run directory is somebody else's (what is ours was
    ended all the same)."""
    supervisor = _end_supervisor(settings.home)
    found = len(census.take(settings))
    stop.everything(settings)
    _refuse_left(census.take(settings))
    if os.path.lexists(settings.run_dir):
        trust.directory(settings.run_dir)
    found_some = f" (its supervisor was gone; {found} processes of it were ended)" if found else " (it was not up)"
    say(f"cluster {settings.cluster} is down{'' if supervisor else found_some}")
    return 0


def _end_supervisor(home: str) -> bool:
    """Have the supervisor stop everything, whatever it is known by; whether there was one."""
    supervisor = lock.living(home)
    if supervisor is None:
        return False
    send(supervisor, signal.SIGTERM)
    for stuck in wait_gone([supervisor], _SUPERVISOR_S):
        send(stuck, signal.SIGKILL)
        wait_gone([stuck], 1.0)
    return True


def _without_configuration(home: str) -> int:
    """End the daemons that have a mark of this home, though there is no configuration any more. Raises SystemFault."""
    count = _end_supervisor(home) + stop.marked(home)
    _refuse_left(marks.found(home))
    what = f"no configuration in {home}; what was left of its cluster has ended" if count else f"no cluster in {home}"
    say(what)
    return 0


def _refuse_left(left: dict[Record, str]) -> None:
    if left:
        names = ", ".join(f"{role} (pid {record.pid})" for record, role in left.items())
        raise SystemFault(
            f"still there: {names}. They could not be ended: are they yours to stop? Try as root, or as their user"
        )
