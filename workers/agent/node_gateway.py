"""Keeps a node's gateway running: a process of its own, so that no user's request holds up the heartbeat."""

import logging
import os
import subprocess
import threading
from collections.abc import Mapping

from crane_celery.settings import Settings
from crane_celery.supervisor.roles import crane_argv, environment

log = logging.getLogger(__name__)

#: pauses before it is started again, each twice the one before
_PAUSE_S = (0.2, 10.0)
#: seconds that it may take to end
_END_S = 5.0


class NodeGateway:
    """The process, and the thread that starts it again."""

    def __init__(self, settings: Settings, node: str, environ: Mapping[str, str] = os.environ) -> None:
        """Nothing is started yet."""
        self._argv = [*crane_argv("gateway"), "--node", node, "--parent", str(os.getpid())]
        self._env = environment(settings, environ)
        self._stopped = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        # it is this thread that starts the child: the child ends with the thread that has started it
        self._thread = threading.Thread(target=self._run, name="node-gateway", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it. Idempotent."""
        self._stopped.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
        if self._thread.is_alive():
            self._thread.join(_END_S)
        if child is not None and child.poll() is None:
            child.kill()

    def _run(self) -> None:
        pause = _PAUSE_S[0]
        while not self._stopped.is_set():
            try:
                self._child = subprocess.Popen(self._argv, env=self._env, stdin=subprocess.DEVNULL)
            except OSError as error:
                log.error("the node's gateway cannot be started: %s", error)
            else:
                status = self._child.wait()
                if self._stopped.is_set():
                    return
                log.error("the node's gateway ended with %d: starting it again in %.1f s", status, pause)
            self._stopped.wait(pause)
            pause = min(2 * pause, _PAUSE_S[1])
