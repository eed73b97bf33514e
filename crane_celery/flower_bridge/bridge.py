"""From the store's event stream to Celery's monitoring exchange.

Cost: one publish for up to ``_TOGETHER`` task events. No more than ``_RATE`` of them are published in a second, since
Flower works through them one by one; what is over waits here in memory, and where even that grows too long, the board
is set up anew from what the store says is running.
"""

import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable
from threading import Event as Flag
from typing import NoReturn

from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from crane_celery import faults
from crane_celery.errors import CraneError
from crane_celery.flower_bridge.board import Board, Message
from crane_celery.grammar.printable import shown_record
from crane_celery.service.query.privacy import COMMANDS
from crane_celery.settings import Settings
from crane_celery.store.api import Store

_LOG = logging.getLogger(__name__)
_TOGETHER = 200
_RATE = 1_000.0
_TICK_S = _TOGETHER / _RATE
_BACKLOG = 100_000
_BATCH = 200  # stream entries
_HEARTBEAT_S = 5.0
_NODES_PER_S = 50  # heartbeats get rarer on large clusters
_REFRESH_S = 30.0
_REFRESHED = 1_000
_BACKOFF_S = (0.5, 1.0, 2.0, 5.0)


class Publisher:
    """Sends messages in batches over one connection."""

    def __init__(self, app: Celery) -> None:
        """Connects. Raises OperationalError."""
        self._connection = app.connection_for_write()
        self._connection.ensure_connection(max_retries=1)
        self._dispatcher = app.events.Dispatcher(
            self._connection, buffer_while_offline=False, buffer_group={"task"}, buffer_limit=_TOGETHER
        )

    def send(self, messages: Iterable[Message]) -> None:
        """Publish, task events together, each text as a field that people may see. The dispatcher speaks for one host
        at a time: it is told for each."""
        for message in messages:
            self._dispatcher.hostname = message.hostname
            self._dispatcher.send(message.type, **shown_record(message.fields))
        self._dispatcher.flush()

    def close(self) -> None:
        """Let go of the connection."""
        self._dispatcher.close()
        self._connection.release()


class Bridge:
    """One session: from a snapshot on, until something fails."""

    def __init__(self, store: Store, publisher: Publisher, *, commands: bool = True) -> None:
        """Takes the snapshot and tells Flower of it; ``commands``: with command lines."""
        self._store, self._commands = store, commands
        self._publisher = publisher
        self._waiting: deque[Message] = deque()
        self._at = ""  # the newest event on the board
        self._reset()

    def run(self, stop: Flag) -> None:
        """Follow the stream until ``stop``. Raises CraneError, OSError or what kombu raises."""
        while not stop.is_set():
            self.step(max(1.0, self._beat_at - time.monotonic()))
            if self._waiting:
                stop.wait(_TICK_S)

    def step(self, block_s: float) -> None:
        """Read what there is (waiting only with nothing left to publish), publish a batch, and what is due."""
        for event in self._store.events(self._at, 0.0 if self._waiting else block_s, _BATCH):
            try:
                self._waiting.extend(self._board.take(event))
            except Exception:
                faults.record(f"an event of kind {event.kind} could not be shown:", event.seq)
            self._at = event.seq
        if len(self._waiting) > _BACKLOG:
            _LOG.warning(
                "%d task events wait to be published: dropping them, and telling what runs", len(self._waiting)
            )
            self._reset()
        together = min(len(self._waiting), _TOGETHER)
        self._publisher.send([self._waiting.popleft() for _ in range(together)])
        self._tell_what_is_due()

    def _reset(self) -> None:
        snapshot = self._store.snapshot()
        self._board = Board(snapshot, commands=self._commands)
        self._at = snapshot.seq
        self._period_s = max(_HEARTBEAT_S, len(snapshot.nodes) / _NODES_PER_S)
        self._waiting.clear()
        self._waiting.extend(self._board.opening())
        self._beat_at = time.monotonic() + self._period_s
        self._refresh_at = time.monotonic() + _REFRESH_S

    def _tell_what_is_due(self) -> None:
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + self._period_s
            self._publisher.send(self._board.heartbeats(period_s=self._period_s))
        if now >= self._refresh_at and not self._waiting:
            self._refresh_at = now + _REFRESH_S
            self._waiting.extend(self._board.refresh(_REFRESHED))
            self._compare()

    def _compare(self) -> None:
        """Events may be trimmed before they are read here, since the stream does not wait for Flower."""
        believed = set(self._board.running)
        if not believed:
            return
        gone = believed - {(each.id, each.run) for each in self._store.elements()}
        if gone:
            found = {each.id: each for each in self._store.elements({id for id, _ in gone})}
            for key in gone:
                self._waiting.extend(self._board.forget(key, found.get(key[0])))


def follow(store: Store, app: Celery, stop: Flag, *, commands: bool = True) -> None:
    """Keep a bridge standing until ``stop``: after a failure a new session begins with what runs then."""
    failures = 0
    while not stop.is_set():
        publisher = None
        try:
            publisher = Publisher(app)
            bridge = Bridge(store, publisher, commands=commands)
            failures = 0
            bridge.run(stop)
        except (CraneError, KombuError, OperationalError, OSError) as error:
            pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
            failures += 1
            _LOG.warning("Flower hears nothing for %.1f s: %s", pause, error)
            stop.wait(pause)
        except Exception:
            faults.record("the bridge to Flower failed")
            failures += 1
            stop.wait(_BACKOFF_S[-1])
        finally:
            if publisher:
                publisher.close()


def run(settings: Settings) -> None:
    """Publish what happens from now on, until SIGTERM or SIGINT. Blocks."""
    from crane_celery.bootstrap import open_store
    from crane_celery.celery_app import make_app

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    faults.keep_in(settings.log_dir, "flower")
    store = open_store(settings)
    try:
        follow(store, make_app(settings), Flag(), commands=COMMANDS not in settings.private)
    finally:
        store.close()


def _leave(_number: int, _frame: object) -> NoReturn:
    """End at once: nothing here needs to be kept."""
    sys.exit(0)
