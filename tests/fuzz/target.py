"""One decoder under test, and what must hold of it for every input.

Only the errors that the decoder documents come out; it takes less than a second of processor time and a bounded amount
of memory; and, where nobody but a user can have made the input, no daemon would count a fault (crane_celery.faults).
"""

import contextlib
import gc
import json
import logging
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from crane_celery import faults
from crane_celery.errors import CraneError
from tests.fuzz.source import Source

#: seconds of processor time, and bytes, that one input may take
MOST_S, MOST_BYTES = 1.0, 64 << 20


class Failure(Exception):
    """An input that a decoder did not take as it must."""


class Hang(BaseException):
    """The second is over; no handler of ordinary exceptions stops it."""


class Target(NamedTuple):
    """A decoder: ``make`` builds an input (a JSON value), ``check`` gives it to the decoder."""

    name: str
    make: Callable[[Source], Any]
    check: Callable[[Any], object]
    #: what may come out
    expected: tuple[type[BaseException], ...] = (CraneError,)
    #: whether it may count faults: what only daemons write, and what is set aside there
    faults: bool = False


def dumps(value: Any) -> str:
    """Return an input as text for the corpus: ASCII, one line."""
    return json.dumps(value)


def loads(text: str) -> Any:
    """Return an input of the corpus."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.loads(text)
    finally:
        sys.set_int_max_str_digits(limit)


def attempt(target: Target, value: Any) -> None:
    """Give an input to a target. Raises Failure when a property does not hold."""
    counted: list[BaseException | None] = []
    with _counting(counted):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            with _limited():
                target.check(value)
        except target.expected:
            pass
        except Hang as error:
            raise Failure(f"{target.name}: over {MOST_S:g} s of processor time") from error
        except Exception as error:
            raise Failure(f"{target.name}: {type(error).__name__}: {error}") from error
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > MOST_BYTES:
        raise Failure(f"{target.name}: {grown >> 20} MiB for one input")
    if counted and not target.faults:
        raise Failure(f"{target.name}: a fault was counted: {counted[0]!r}") from counted[0]


def place_of(failure: Failure) -> str:
    """Return the innermost place of this project's that the cause of a failure came from."""
    frames = traceback.extract_tb((failure.__cause__ or failure).__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return " < ".join(f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(ours[-4:]))


@contextlib.contextmanager
def _counting(counted: list[BaseException | None]) -> Iterator[None]:
    """Take faults instead of having them logged and counted."""
    real, faults.record = faults.record, lambda _doing, _item="": counted.append(sys.exc_info()[1])
    try:
        yield
    finally:
        faults.record = real


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise Hang after so much processor time."""
    signal.setitimer(signal.ITIMER_PROF, MOST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def _over(*_: object) -> None:
    raise Hang


def install() -> None:
    """Have hangs noticed in this process, and nothing logged: to be called once, in its first thread."""
    logging.disable()
    signal.signal(signal.SIGPROF, _over)


class Growth:
    """Looks now and then whether objects pile up: what every input leaves behind fills a daemon's memory some day."""

    #: objects more than at the start, after a fourth of all inputs, that are taken for caches which fill
    MOST = 300_000

    def __init__(self, inputs: int) -> None:
        """``inputs``: how many are going to be tried."""
        self._every = max(inputs // 20, 1000)
        self._first = max(inputs // 4, 1000)
        self._seen = self._base = 0

    def after(self, target: str) -> None:
        """Count an input. Raises Failure where too much is left of all before."""
        self._seen += 1
        if self._seen < self._first or self._seen % self._every:
            return
        gc.collect()
        blocks = sys.getallocatedblocks()
        self._base = self._base or blocks
        if blocks - self._base > self.MOST:
            raise Failure(f"{target}: {blocks - self._base} objects more after {self._seen} inputs")
