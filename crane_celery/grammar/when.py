"""Moments: ``--begin``, ``--deadline``, reservations and history intervals.

Everything is read in the zone of ``now``, the caller's:

- ``now``, ``now+REL``, ``now-REL`` with REL as 1h30m or [D-]H:M:S (a bare number: seconds, as in Slurm);
- ``HH:MM[:SS][am|pm]`` and the words midnight, elevenses (11:00), noon, fika (15:00), teatime (16:00): today, or
  tomorrow when that is past;
- ``YYYY-MM-DD[THH:MM[:SS]]``, ``MM/DD[/YY]``, ``MMDD[YY]``: midnight where no time is written, next year when a day
  without a year is past;
- ``today`` and ``tomorrow`` (their first moment), weekday names (the next such day after today);
- a time of day and a day together, ``noon-tomorrow`` or ``16:00-friday``;
- RFC 3339 with a zone, ``2026-01-31T12:00:00Z``.

Adding a span adds elapsed seconds, also across a change of the clocks; a time the clocks skip is moved past the gap.
Moments are compared by their timestamps: within one zone Python compares the clocks on the wall, which repeat an hour.
The only module here that imports ``datetime``: the gateway reads moments, commands send the text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar.duration import FOREVER_S, parse_duration

_TIMES = {"midnight": time(0), "elevenses": time(11), "noon": time(12), "fika": time(15), "teatime": time(16)}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(am|pm)?", re.ASCII)
_ISO_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_SLASH_DAY = re.compile(r"(\d{1,2})/(\d{1,2})(?:/(\d\d|\d{4}))?", re.ASCII)
_DAY_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)[t ](.+)", re.ASCII)
_CLOCK_DAY = re.compile(r"([a-z0-9:]+)[- ](.+)", re.ASCII)
_PLAIN_DAY = re.compile(r"(\d\d)(\d\d)(\d\d)?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HOW = "write such as now+1h, 16:00, 2026-01-31T12:00, tomorrow or friday"
#: moments before this year are shown as unknown
FIRST_YEAR = 1980


def parse_when(text: str, now: datetime) -> datetime:
    """The moment, in the zone of ``now`` (which must be aware); InputError when it is none or out of the calendar."""
    lower = text.lower()
    try:
        found = _relative(lower, now) or _zoned(text, now) or _local(lower, now)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise InputError(f"bad time {quote(text)}: {_HOW}")
    return found


def format_when(moment: datetime | None) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in the moment's own zone; ``unknown`` for None and before 1980."""
    if moment is None or moment.year < FIRST_YEAR:
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _relative(text: str, now: datetime) -> datetime | None:
    """``now``, ``now+REL``, ``now-REL``."""
    if not text.startswith("now"):
        return None
    sign, span = text[3:4], text[4:]
    if not sign:
        return now
    seconds = whole(span, FOREVER_S)
    if seconds is None and sign in "+-":
        seconds = parse_duration(span)
    if seconds is None or sign not in "+-":
        return None
    return _elapsed(now, seconds if sign == "+" else -seconds)


def _elapsed(moment: datetime, seconds: int) -> datetime:
    """``moment`` so many real seconds later, in its own zone."""
    return (moment.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moment.tzinfo)


def _zoned(text: str, now: datetime) -> datetime | None:
    """RFC 3339 with a zone."""
    return datetime.fromisoformat(text.upper()).astimezone(now.tzinfo) if _RFC3339.fullmatch(text) else None


def _local(text: str, now: datetime) -> datetime | None:
    """Days and times of day in the zone of ``now``."""
    clock = _time(text)
    if clock is not None:
        moment = _at(now.date(), clock, now)
        return moment if moment.timestamp() >= now.timestamp() else _at(now.date() + timedelta(days=1), clock, now)
    parted = _DAY_CLOCK.fullmatch(text)
    if parted:
        day, clock = _day(parted[1], now), _time(parted[2])
    else:
        parted = _CLOCK_DAY.fullmatch(text)
        clock = _time(parted[1]) if parted else None
        day = _day(text if clock is None or not parted else parted[2], now)
        clock = clock or time(0)
    return None if day is None or clock is None else _at(day, clock, now)


def _at(day: date, clock: time, now: datetime) -> datetime:
    """That time of that day in the zone of ``now``, moved forward where the clocks skip it."""
    return _elapsed(datetime.combine(day, clock, now.tzinfo), 0)


def _time(text: str) -> time | None:
    """A time of day, as a word or a clock."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return _TIMES.get(text)
    hour, half = int(match[1]), match[4]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(match[2]), int(match[3] or 0))


def _day(text: str, now: datetime) -> date | None:
    """A day, as a word or a date."""
    today = now.date()
    if text in ("today", "tomorrow"):
        return today + timedelta(days=text == "tomorrow")
    if text in _WEEKDAYS:
        return today + timedelta(days=(_WEEKDAYS.index(text) - today.weekday() - 1) % 7 + 1)
    match = _ISO_DAY.fullmatch(text)
    if match:
        return date(int(match[1]), int(match[2]), int(match[3]))
    match = _SLASH_DAY.fullmatch(text) or _PLAIN_DAY.fullmatch(text)
    return _dated(int(match[1]), int(match[2]), match[3], today) if match else None


def _dated(month: int, day: int, year: str | None, today: date) -> date:
    """A day of the year written (two digits: this century), else the next such day from today on."""
    if year:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    for candidate in range(today.year, today.year + 9):
        leap_gap = (month, day) == (2, 29) and (candidate % 4 or (candidate % 100 == 0 and candidate % 400))
        if not leap_gap and date(candidate, month, day) >= today:
            return date(candidate, month, day)
    raise ValueError(month)
