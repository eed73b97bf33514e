"""The supervisor's program: supervise the cluster of the environment in the foreground."""

import os
import sys

from crane_celery import trust
from crane_celery.errors import CraneError
from crane_celery.settings import load, prepare_run_dir
from crane_celery.supervisor import datalock, lock, marks, stop
from crane_celery.supervisor.loop import Supervisor, say
from crane_celery.supervisor.redis_server import prepare
from crane_celery.supervisor.roles import roles


def main() -> int:
    """Take the home's lock, end what an earlier supervisor left, run until asked to stop."""
    try:
        settings = load()
        trust.directory(settings.home)
        marks.hold(settings.home, marks.SUPERVISOR)
        with lock.held(settings.home) as held:
            os.chdir(settings.home)
            prepare_run_dir(settings.home, settings.run_dir)
            stop.daemons(settings)
            server = prepare(settings) if settings.embedded else []
            if server:
                datalock.check(settings.home)
            Supervisor(settings, roles(settings, os.environ, server), held).run()
    except CraneError as error:
        say(error.message)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
