"""Starts and stops a node's agent and its gateway with the Celery worker that hosts them."""

import logging
import os
import shutil
import sys
from typing import Any

from celery import bootsteps

from crane_celery import faults, trust
from crane_celery.bootstrap import open_store
from crane_celery.daemon import failed
from crane_celery.errors import ConfigError, CraneError, SystemFault
from crane_celery.settings import Settings, load, prepare_run_dir
from crane_celery.wire.signing import Verifier
from workers.agent.agent import Agent
from workers.agent.environment import Place
from workers.agent.node_gateway import NodeGateway

log = logging.getLogger(__name__)

#: the running agent; None before the worker is up (a message that early is a lost hint, and comes again)
agent: Agent | None = None


class Node(bootsteps.StartStopStep):
    """A node, for as long as its worker lives. Its steps live longer."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        """Take the node's name from CRANE_NODE. Raises ConfigError when it is not set or not configured."""
        super().__init__(parent, **kwargs)
        self._settings = load()
        self._node = os.environ.get("CRANE_NODE", "")
        if self._node not in self._settings.nodes:
            raise ConfigError(f"CRANE_NODE={self._node!r} names no node of {self._settings.path}: set it to one")
        self._gateway: NodeGateway | None = None

    def start(self, parent: Any) -> None:
        """Start, or end the worker with one line that says why not."""
        del parent
        try:
            self._start()
        except (CraneError, OSError) as error:
            status = failed(error.message if isinstance(error, CraneError) else str(error), SystemFault.status)
            raise SystemExit(status) from error

    def _start(self) -> None:
        """Start the gateway first: a step that runs already may be waiting for it."""
        global agent
        settings = self._settings
        prepare_run_dir(settings.home, settings.run_dir)
        trust.make_directory(settings.node_run_dir(self._node))
        os.makedirs(settings.spool(self._node), mode=0o711, exist_ok=True)
        faults.keep_in(settings.log_dir, f"node.{self._node}")
        place = place_of(settings, self._node)
        self._gateway = NodeGateway(settings, self._node)
        self._gateway.start()
        verifier = Verifier.load(settings.public_key) if settings.signing else Verifier(None)
        agent = Agent(settings, self._node, open_store(settings), place, verifier)
        agent.start()

    def stop(self, parent: Any) -> None:
        """Leave everything that runs to the shepherd."""
        global agent
        del parent
        if agent is not None:
            agent.stop()
            agent = None
        if self._gateway is not None:
            self._gateway.stop()
            self._gateway = None

    terminate = stop


def place_of(settings: Settings, node: str) -> Place:
    """Return what jobs are told of the node. The commands' directory only where they are not found without it."""
    run = os.path.realpath(settings.node_run_dir(node))
    beside = os.path.dirname(sys.executable)
    found = shutil.which("crun", path=os.defpath + ":/usr/local/bin")
    commands = "" if found or not os.path.exists(f"{beside}/crun") else beside
    gateway, shepherd = f"{run}/gateway.sock", f"{run}/shepherd.sock"
    spec = settings.nodes[node]
    return Place(
        node, settings.cluster, gateway, shepherd, commands, settings.slurm_env, settings.hooks, spec.gres, spec.devices
    )
