"""``crane down``: stop everything that belongs to the cluster on this host, also after a crash of its supervisor."""

from __future__ import annotations

import os
import signal

from cli._main import say
from cli._options import Parser
from crane_celery.errors import SystemFault
from crane_celery.settings import Settings, home_of, load
from crane_celery.supervisor import lock, stop
from crane_celery.supervisor.processes import send, wait_gone

#: the supervisor's own stopping takes less (supervisor.stop)
_SUPERVISOR_S = 9.5


def down(argv: list[str]) -> int:
    """Stop the cluster of ``--config`` or ``--home`` (else ``$CRANE_HOME``). Idempotent.

    Raises SystemFault when something is left.
    """
    parser = Parser("crane down", "Stop the cluster of this host: daemons, steps, and what a crash left of them.")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    asked = parser.parse(argv)
    settings = _settings(asked.home)
    if settings is None:
        return 0
    with lock.changing(settings.home, wait=False):
        return _take_down(settings)


def _take_down(settings: Settings) -> int:
    supervisor = lock.holder(settings.home)
    if supervisor:
        send(supervisor, signal.SIGTERM)
        for stuck in wait_gone([supervisor], _SUPERVISOR_S):
            send(stuck, signal.SIGKILL)
            wait_gone([stuck], 1.0)
    stop.everything(settings)
    left = stop.strays(settings)
    if left:
        raise SystemFault(f"still there: processes {' '.join(str(each.pid) for each in left)}; are they yours to stop?")
    say(f"cluster {settings.cluster} is down{'' if supervisor else ' (it was not up)'}")
    return 0


def _settings(home: str | None) -> Settings | None:
    """Which cluster: a host that runs single roles has a file and maybe no home that is named. None = there is none."""
    where = os.path.abspath(home) if home else home_of()
    os.environ["CRANE_HOME"] = where
    if not os.path.exists(os.environ.get("CRANE_CONFIG") or os.path.join(where, "config.yaml")):
        say(f"no cluster in {where}")
        return None
    return load()
