"""Define what every part of the in-memory twin stands on."""

from __future__ import annotations

from collections.abc import Callable

from crane_celery.store.memory.accepted import Accepted
from crane_celery.store.memory.dependants import Dependants
from crane_celery.store.memory.desired import Desired
from crane_celery.store.memory.ending import Ending
from crane_celery.store.memory.ends import Ends
from crane_celery.store.memory.guests import Guests
from crane_celery.store.memory.log import Log


class Shared:
    """The events and records, and what no event carries: bodies, bits, queues, what is wanted of runs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing has happened."""
        self.log = Log(clock)
        self.accepted = Accepted(self.log)
        self.ends = Ends(self.log)
        self.dependants = Dependants(self.log, self.ends)
        self.desired = Desired(self.log)
        self.guests = Guests(self.log, self.desired)
        self.ending = Ending(self.ends, self.dependants, self.desired, self.guests)


class Part:
    """Guards in plain Python; changes only through the events that it appends."""

    def __init__(self, state: Shared) -> None:
        """``state`` is shared with the other parts."""
        self.log, self.accepted, self.ends, self.dependants = state.log, state.accepted, state.ends, state.dependants
        self.desired, self.guests, self.ending = state.desired, state.guests, state.ending
