"""The recorder: reads the event stream behind a cursor and files what ended in the SQL history.

Each batch goes into one SQL transaction together with the cursor, so a kill at any moment loses and doubles nothing;
then the store is told the cursor, behind which it may trim. The read blocks: an idle recorder costs nothing. Under load
it lets events gather for ``_GATHER_S`` between two transactions, since a transaction costs an fsync whatever its size.

Several recorders may run: a batch is filed by the one that moves the cursor, the others find it moved and follow
(``filing``). Where the stream no longer reaches back to the cursor, ``gap`` re-reads the live records.
"""

import logging
import signal
import sys
from threading import Event as Flag
from typing import NoReturn

from crane_celery import faults, quarantine
from crane_celery.errors import CraneError
from crane_celery.history import gap
from crane_celery.history.batch import fold
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.sieve import Sieve, of_the_database
from crane_celery.model.event import Event, Position
from crane_celery.settings import Settings
from crane_celery.store.api import Store

CONSUMER = "recorder"
_LOG = logging.getLogger(__name__)
_BLOCK_S = 5.0
_GATHER_S = 0.05
_BATCH = 1_000  # stream entries
_BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Recorder:
    """Moves events from one store to one history."""

    def __init__(self, store: Store, filing: Filing, aside: str = "") -> None:
        """Nothing is read yet. ``aside``: the folder for what cannot be filed (quarantine); "" = there is none."""
        self._store = store
        self._filing = filing
        self._sieve = Sieve(filing, aside) if aside else None
        self._at: Position | None = None

    def step(self, block_s: float = _BLOCK_S) -> int:
        """Wait up to ``block_s`` for events and file them; returns how many. Raises Unreachable, SystemFault."""
        at = self._at if self._at is not None else self._resume()
        events = self._store.events(at.text, block_s, _BATCH)
        if not events:
            return 0
        upto = Position.parse(events[-1].seq)
        if self._file(events, at, upto):
            self._reached(upto)
        else:
            _LOG.info("another recorder has filed past %s: following it", at.text)
            self._at = None
        return len(events)

    def _file(self, events: list[Event], at: Position, upto: Position) -> bool:
        """All at once, the usual way; where something is wrong with one of them, piece by piece."""
        try:
            return self._filing.file(fold(events), at, upto)
        except Exception as error:
            if self._sieve is None or of_the_database(error):
                raise
            _LOG.warning("some of %d events cannot be filed (%s): looking for which", len(events), type(error).__name__)
            return self._sieve.file(events, at)

    def run(self, stop: Flag) -> None:
        """Record until ``stop`` is set; what fails (server gone, disk full) is tried again, ever more slowly."""
        failures = 0
        while not stop.is_set():
            try:
                if self.step():
                    stop.wait(_GATHER_S)
                failures = 0
            except Exception as error:
                if not isinstance(error, CraneError):
                    faults.record("the recorder failed behind", self._at)
                self._at = None
                pause = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                _LOG.warning("nothing is filed for %.1f s, and nothing is lost: %s", pause, error)
                stop.wait(pause)

    def _resume(self) -> Position:
        """Return where the history stands. Sees whether the stream still reaches back to there."""
        at = self._filing.cursor()
        if gap.is_open(at, self._store, CONSUMER):
            _LOG.error("events after %s are gone from the stream: what is left will be compared", at.text)
            self._filing.mark_gap(True)
        if self._filing.has_gap():
            self._close_gap(at)
            at = self._filing.cursor()
        self._reached(at)
        return at

    def _close_gap(self, at: Position) -> None:
        """File the events that are left, then what the live records show beyond them."""
        snapshot = self._store.snapshot()
        upto = Position.parse(snapshot.seq)
        while at < upto:
            events = self._store.events(at.text, 0.0, _BATCH)
            if not events:
                break
            reached = Position.parse(events[-1].seq)
            if not self._file(events, at, reached):
                return
            at = reached
        if self._filing.file(gap.close(self._store, self._filing, snapshot), at, at):
            self._filing.mark_gap(False)

    def _reached(self, at: Position) -> None:
        self._store.set_cursor(CONSUMER, at.text)
        self._at = at


def run(settings: Settings) -> None:
    """Record until SIGTERM or SIGINT. Blocks. A second one may run beside: see the module."""
    from crane_celery.bootstrap import open_space, open_store

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    faults.keep_in(settings.log_dir, "recorder")
    open_space(settings).watch()
    store = open_store(settings)
    database = Database(settings.history_url)
    try:
        filing = Filing(database, settings.priority.half_life_s)
        Recorder(store, filing, quarantine.folder_of(settings.home)).run(Flag())
    finally:
        database.close()
        store.close()


def _leave(_number: int, _frame: object) -> NoReturn:
    """End at once, wherever we are: a transaction under way is rolled back, and read again next time."""
    sys.exit(0)
