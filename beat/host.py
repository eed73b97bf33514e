"""Celery beat hosts the scheduler: ``celery -A crane_celery.celery_app beat -S beat.host:CraneScheduler``.

Beat calls ``tick()``, sleeps for as long as it says, and calls again. On SIGTERM ``close()`` comes twice: from the
signal handler, in the middle of whatever ``tick()`` is doing, then from ``finally``. In the middle of a tick it only
takes note: to talk to the server there would be to use a connection, or a lock, that the interrupted code holds.
Beat makes a second, lazy instance for its banner: that one opens nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from typing import Any

from celery.beat import Scheduler

from beat.dispatch import CeleryOutbox, Dispatcher
from beat.leader import Leader
from crane_celery import bootstrap, faults
from crane_celery.settings import load
from crane_celery.wire.signing import Signer


class CraneScheduler(Scheduler):
    """Hosts the leader loop; keeps no schedule of Celery's own."""

    #: beat's own idea of the longest pause between ticks (shown in its banner)
    max_interval = 5
    _leader: Leader | None = None
    _ticking = False
    _closing = False

    def setup_schedule(self) -> None:
        """Called once for the instance that is going to tick."""
        settings = load()
        faults.keep_in(settings.log_dir, "scheduler")
        store = bootstrap.open_store(settings)
        signer = Signer.load(settings.private_key) if settings.signing else Signer(None)
        guests = bool(settings.hooks.prolog or settings.hooks.epilog)
        dispatcher = Dispatcher(CeleryOutbox(self.app), signer, lambda: secrets.token_hex(8), guests)
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        history = bootstrap.open_history(settings)
        half_life_s = settings.priority.half_life_s
        self._leader = Leader(
            store, settings, dispatcher, holder, time.monotonic, lambda now: history.held_by_uid(now, half_life_s)
        )

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """One turn; returns seconds to sleep (0 while leading: the turn itself waits for events).

        Raises SystemExit after a signal, also where some clean-up on the way has swallowed the handler's own.
        """
        if self._leader is None:
            return self.max_interval
        self._ticking = True
        try:
            pause = self._leader.turn()
        finally:
            self._ticking = False
        if self._closing:
            raise SystemExit
        return pause

    def close(self) -> None:
        """Give the lease up and let go of connections. Idempotent."""
        self._closing = True
        if self._ticking:
            return
        leader, self._leader = self._leader, None
        if leader is not None:
            leader.close()
        super().close()

    @property
    def info(self) -> str:
        """A line of beat's banner."""
        return "    . crane -> leader loop"
