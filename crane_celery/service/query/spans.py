"""Intervals of time by which the history is filtered: as typed, and against the times of a row. Pure."""

from collections.abc import Mapping
from datetime import datetime

from crane_celery.errors import InputError
from crane_celery.grammar.interval import parse_interval
from crane_celery.grammar.when import format_when
from crane_celery.history.api import ANY_TIME, Query, Row, Span

#: fields of a query -> the time of a row that they are about
TIMES = {"start": "began_at", "end": "ended_at", "submit": "submitted_at", "deadline": "deadline"}
#: these follow one another in the life of a run
_IN_ORDER = (("submit", "submitted"), ("start", "started"), ("end", "ended"))


def parse_spans(texts: Mapping[str, str], now: datetime) -> dict[str, Span]:
    """Intervals as typed, by the names of ``TIMES``, in the zone of ``now``; "" = any time.

    Deadlines may lie ahead, everything else has happened. Raises InputError, also where nothing can be in all of them.
    """
    found = {name: _span(text, now, past=name != "deadline") for name, text in texts.items()}
    for at, (earlier, first) in enumerate(_IN_ORDER):
        for later, then in _IN_ORDER[at + 1 :]:
            low, high = found.get(earlier, ANY_TIME).low, found.get(later, ANY_TIME).high
            if low is not None and high is not None and high < low:
                raise InputError(
                    f"nothing can match: what was {first} from {_shown(low, now)} on was not {then} before"
                    f" {_shown(high, now)}; widen one of the intervals"
                )
    return found


def _span(text: str, now: datetime, past: bool) -> Span:
    if not text:
        return ANY_TIME
    return Span(*(moment.timestamp() if moment else None for moment in parse_interval(text, now, past)))


def _shown(at: float, now: datetime) -> str:
    return format_when(datetime.fromtimestamp(at, now.tzinfo))


def within(row: Row, want: Query) -> bool:
    """Return whether a row's times lie in the spans asked for; a time not reached yet lies in no span."""
    spans = ((getattr(want, name), row[key]) for name, key in TIMES.items())
    return all(
        span == ANY_TIME or (at > 0 and (span.low is None or at >= span.low) and (span.high is None or at <= span.high))
        for span, at in spans
    )
