"""Moments: ``--begin``, ``--deadline``, reservations and history intervals.

Everything is read in the zone of ``now``, the caller's:

- ``now``, ``now+REL``, ``now-REL`` with REL as 1h30m or [D-]H:M:S (a bare number: seconds, as in Slurm);
- ``HH:MM[:SS][am|pm]`` and the words midnight, elevenses (11:00), noon, fika (15:00), teatime (16:00): today, or
  tomorrow when that is past;
- ``YYYY-MM-DD[THH:MM[:SS]]``, ``MM/DD[/YY]``, ``MMDD[YY]``: midnight where no time is written, next year when a day
  without a year is past;
- ``today`` and ``tomorrow`` (their first moment), weekday names (the next such day after today);
- a time of day and a day together, ``noon-tomorrow``, ``16:00-friday`` or ``01/31-16:00``;
- RFC 3339 with a zone, ``2026-01-31T12:00:00Z``.

Filters of the past (``past=True``) read the same words backwards: a time of day, a weekday and a day without a year are
the last such moment, not the next one. They also take ``yesterday`` and a span ago, ``-3d`` or ``2h ago``.

Adding a span adds elapsed seconds, also across a change of the clocks; a time the clocks skip is moved past the gap.
Moments are compared by their timestamps: within one zone Python compares the clocks on the wall, which repeat an hour.
The words and their order are ours; python-dateutil does what the calendar demands of them: the next weekday, the next
29th of February, a time that the clocks skip. The only module here that imports it and ``datetime``: the gateway reads
moments, commands send the text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from dateutil.parser import isoparse
from dateutil.relativedelta import FR, MO, SA, SU, TH, TU, WE, relativedelta
from dateutil.rrule import YEARLY, rrule
from dateutil.tz import resolve_imaginary

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar.duration import FOREVER_S, parse_duration

_TIMES = {"midnight": time(0), "elevenses": time(11), "noon": time(12), "fika": time(15), "teatime": time(16)}
_WEEKDAYS = {
    "monday": MO,
    "tuesday": TU,
    "wednesday": WE,
    "thursday": TH,
    "friday": FR,
    "saturday": SA,
    "sunday": SU,
}
#: years within which every day of the calendar comes twice: no 29th of February in 1900
_TWICE_YEARS = 16
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(am|pm)?", re.ASCII)
_ISO_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_SLASH_DAY = re.compile(r"(\d{1,2})/(\d{1,2})(?:/(\d\d|\d{4}))?", re.ASCII)
_DAY_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)[t ](.+)", re.ASCII)
_CLOCK_DAY = re.compile(r"([a-z0-9:]+)[- ](.+)", re.ASCII)
_WORD_CLOCK = re.compile(r"([a-z]+|\d\d?/\d\d?(?:/\d+)?)[-t ](.+)", re.ASCII)
_AGO = re.compile(r"-(.+)|(.+?) ?ago", re.ASCII)
_PLAIN_DAY = re.compile(r"(\d\d)(\d\d)(\d\d)?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HOW = "write such as now+1h, 16:00, 2026-01-31T12:00, tomorrow or friday"
_HOW_PAST = "write such as 16:00, 2026-01-31T12:00, yesterday, friday, -3d or now-2hours"
#: moments before this year are shown as unknown
FIRST_YEAR = 1980


def parse_when(text: str, now: datetime, past: bool = False) -> datetime:
    """The moment, in the zone of ``now`` (which must be aware); InputError when it is none or out of the calendar.

    What names no certain day is the next such moment, with ``past`` the last one up to ``now``.
    """
    lower = text.lower()
    try:
        found = _relative(lower, now, past) or _zoned(text, now) or _local(lower, now, past)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise InputError(f"bad time {quote(text)}: {_HOW_PAST if past else _HOW}")
    return found


def format_when(moment: datetime | None) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in the moment's own zone; ``unknown`` for None and before 1980."""
    if moment is None or moment.year < FIRST_YEAR:
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _relative(text: str, now: datetime, past: bool) -> datetime | None:
    """``now``, ``now+REL``, ``now-REL``; of the past also ``-REL`` and ``REL ago``."""
    ago = _AGO.fullmatch(text) if past else None
    if ago:
        text = f"now-{ago[1] or ago[2].replace(' ', '')}"
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
    return isoparse(text.upper().replace(" ", "T")).astimezone(now.tzinfo) if _RFC3339.fullmatch(text) else None


def _local(text: str, now: datetime, past: bool) -> datetime | None:
    """Days and times of day in the zone of ``now``."""
    if not text:
        return None
    day, clock = _parts(text)
    moments = [_at(each, clock, now) for each in _days(day, now.date(), past)]
    if len(moments) < 2:
        return next(iter(moments), None)
    at = now.timestamp()
    return next((each for each in moments if (each.timestamp() <= at if past else each.timestamp() >= at)), None)


def _parts(text: str) -> tuple[str, time]:
    """The text of a day, "" for none, and the time of day, midnight where none is written."""
    clock = _time(text)
    if clock is not None:
        return "", clock
    for form, day, at in ((_DAY_CLOCK, 1, 2), (_CLOCK_DAY, 2, 1), (_WORD_CLOCK, 1, 2)):
        parted = form.fullmatch(text)
        clock = _time(parted[at]) if parted else None
        if parted and clock is not None:
            return parted[day], clock
    return text, time(0)


def _at(day: date, clock: time, now: datetime) -> datetime:
    """That time of that day in the zone of ``now``, moved forward where the clocks skip it."""
    return resolve_imaginary(datetime.combine(day, clock, now.tzinfo))


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


def _days(text: str, today: date, past: bool) -> list[date]:
    """The days that a word or a date may mean, the nearest first: one where it is certain, none where it is no day."""
    if not text:
        return [today, today + relativedelta(days=-1 if past else 1)]
    known = {"today": 0, "tomorrow": 1, **({"yesterday": -1} if past else {})}
    if text in known:
        return [today + relativedelta(days=known[text])]
    if text in _WEEKDAYS:
        last, following = relativedelta(weekday=_WEEKDAYS[text](-1)), relativedelta(days=1, weekday=_WEEKDAYS[text])
        return [today + last, today + last + relativedelta(weeks=-1)] if past else [today + following]
    if _ISO_DAY.fullmatch(text):
        return [isoparse(text).date()]
    match = _SLASH_DAY.fullmatch(text) or _PLAIN_DAY.fullmatch(text)
    return _dated(int(match[1]), int(match[2]), match[3], today, past) if match else []


def _dated(month: int, day: int, year: str | None, today: date, past: bool) -> list[date]:
    """A day of the year written (two digits: this century), else the next such day from today on, or the last two."""
    if year:
        return [date(int(year) + (2000 if len(year) == 2 else 0), month, day)]
    date(2000, month, day)  # raises ValueError for a day that no year has
    start = datetime.combine(today, time())
    first = start - relativedelta(years=_TWICE_YEARS) if past else start
    each = rrule(YEARLY, dtstart=first, bymonth=month, bymonthday=day)
    if past:
        return [found.date() for found in each.between(first, start, inc=True)[:-3:-1]]
    following = each.after(start, inc=True)
    return [following.date()] if following else []
