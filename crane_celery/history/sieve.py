"""Finds what in some events cannot be filed, so that the rest is: entries, then events, then rows of one event."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from crane_celery import faults, quarantine
from crane_celery.errors import CraneError, InputError, SystemFault
from crane_celery.history.batch import Batch, fold
from crane_celery.history.filing import Filing
from crane_celery.model.checks import BadValue
from crane_celery.model.event import Event, Position
from crane_celery.quarantine import Item

#: parts refused one after another, with none accepted between them, after which it is the database that is at fault
_MOST_IN_A_ROW = 50


class _Refused(NamedTuple):
    """A part that cannot be filed, and why."""

    event: Event
    error: Exception


class Sieve:
    """Files events one entry at a time, setting aside what cannot be filed."""

    def __init__(self, filing: Filing, folder: str, now: Callable[[], float] = time.time) -> None:
        """``folder``: where what is set aside goes (quarantine.folder_of)."""
        self._filing = filing
        self._folder = folder
        self._now = now
        self._in_a_row = 0

    def file(self, events: Sequence[Event], at: Position) -> bool:
        """File these, each entry of the stream in a transaction; False when another recorder moved the cursor.

        Raises SystemFault when nothing at all can be filed: then the database is at fault, and nothing is set aside.
        """
        for seq, group in groupby(events, lambda event: event.seq):
            upto = Position.parse(seq)
            if not self._filing.file(self._sifted(list(group)), at, upto):
                return False
            at = upto
        return True

    def _sifted(self, events: list[Event]) -> Batch:
        """Return what can be filed of one entry; the rest is set aside."""
        if self._passes(events) is None:
            return fold(events)
        good: list[Event] = []
        refused: list[_Refused] = []
        for part in (part for event in events for part in parts(event)):
            error = self._passes([part])
            if error is None:
                good.append(part)
            else:
                refused.append(_Refused(part, error))
        error = self._passes(good) if good else None
        if error is not None:  # each alone would do, together they do not
            refused, good = [_Refused(event, error) for event in events], []
        for number, each in enumerate(refused):
            self._set_aside(number, each)
        return fold(good)

    def _passes(self, events: list[Event]) -> Exception | None:
        try:
            self._filing.trial(fold(events))
        except BadValue as error:  # the record is at fault, however many there are
            return error
        except Exception as error:
            if of_the_database(error):
                raise
            self._in_a_row += 1
            if self._in_a_row > _MOST_IN_A_ROW:
                raise SystemFault(f"the history takes none of {self._in_a_row} records: {error}") from error
            return error
        self._in_a_row = 0
        return None

    def _set_aside(self, number: int, refused: _Refused) -> None:
        event, error = refused
        id = f"event-{event.seq}-{event.kind}-{number}"
        why = f"{type(error).__name__}: {error}"
        try:
            raise error
        except Exception:
            faults.record("an event cannot be filed and was set aside:", id)
        quarantine.put(self._folder, Item(id, "recorder", self._now(), why[:1000], list(event)))


def of_the_database(error: Exception) -> bool:
    """Return whether an error says that nothing can be filed now; a grammar's InputError is of the event alone."""
    return isinstance(error, CraneError) and not isinstance(error, InputError)


def parts(event: Event) -> Iterator[Event]:
    """An event as one for each of its rows; one without rows as it is."""
    rows = event.data.get("rows")
    if not isinstance(rows, list):
        yield event
        return
    for row in rows:
        yield event._replace(data={**event.data, "rows": [row]})


def retry(filing: Filing, item: Item) -> None:
    """File an item of ours that was set aside. Raises SystemFault, BadRecord, or whatever is wrong with it."""
    filing.add(fold([Event(*item.value)]))
