"""Moments and intervals, in a zone whose clocks change during the next night."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.interval import parse_interval
from crane_celery.grammar.when import format_when, parse_when

#: a Saturday; the clocks go from 02:00 to 03:00 on the 29th
NOW = datetime(2026, 3, 28, 14, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-03-28T14:30:00+01:00"),
        ("now+1h", "2026-03-28T15:30:00+01:00"),
        ("NOW+1H30M", "2026-03-28T16:00:00+01:00"),
        ("now+5", "2026-03-28T14:30:05+01:00"),
        ("now-1-0:0:0", "2026-03-27T14:30:00+01:00"),
        ("now+12:00:00", "2026-03-29T03:30:00+02:00"),
        ("16:00", "2026-03-28T16:00:00+01:00"),
        ("14:30", "2026-03-28T14:30:00+01:00"),
        ("13:00", "2026-03-29T13:00:00+02:00"),
        ("4:00pm", "2026-03-28T16:00:00+01:00"),
        ("4:00:09PM", "2026-03-28T16:00:09+01:00"),
        ("12:30am", "2026-03-29T00:30:00+01:00"),
        ("12:30pm", "2026-03-29T12:30:00+02:00"),
        ("midnight", "2026-03-29T00:00:00+01:00"),
        ("elevenses", "2026-03-29T11:00:00+02:00"),
        ("noon", "2026-03-29T12:00:00+02:00"),
        ("fika", "2026-03-28T15:00:00+01:00"),
        ("teatime", "2026-03-28T16:00:00+01:00"),
        ("2026-05-01", "2026-05-01T00:00:00+02:00"),
        ("2026-05-01T10:11", "2026-05-01T10:11:00+02:00"),
        ("2026-05-01T10:11:12", "2026-05-01T10:11:12+02:00"),
        ("2020-01-01", "2020-01-01T00:00:00+01:00"),
        ("03/28", "2026-03-28T00:00:00+01:00"),
        ("03/01", "2027-03-01T00:00:00+01:00"),
        ("3/1/26", "2026-03-01T00:00:00+01:00"),
        ("03/29/2027", "2027-03-29T00:00:00+02:00"),
        ("0401", "2026-04-01T00:00:00+02:00"),
        ("0301", "2027-03-01T00:00:00+01:00"),
        ("030127", "2027-03-01T00:00:00+01:00"),
        ("02/29", "2028-02-29T00:00:00+01:00"),
        ("today", "2026-03-28T00:00:00+01:00"),
        ("tomorrow", "2026-03-29T00:00:00+01:00"),
        ("friday", "2026-04-03T00:00:00+02:00"),
        ("Saturday", "2026-04-04T00:00:00+02:00"),
        ("noon-tomorrow", "2026-03-29T12:00:00+02:00"),
        ("16:00-friday", "2026-04-03T16:00:00+02:00"),
        ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00"),
        ("2026-01-31T12:00:00.5+05:30", "2026-01-31T07:30:00.500000+01:00"),
        ("02:30-tomorrow", "2026-03-29T03:30:00+02:00"),
    ],
)
def test_accepted(text: str, moment: str) -> None:
    assert parse_when(text, NOW).isoformat() == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blah",
        "nowx",
        "now+",
        "now+x",
        "now*5",
        "now+unlimited",
        "25:00",
        "13:00pm",
        "0:30pm",
        "10:60",
        "2026-02-30",
        "13/01",
        "0230",
        "02/30",
        "2026-05-01T",
        "2026-05-01Tnoonish",
        "tomorrow-",
        "0000-01-01",
        "٠٤:00",
        "16:00-",
        "-1",
        "now+300000000h",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_when(text, NOW)


def test_the_hour_that_comes_twice() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    second = parse_when("now+1h", first)
    assert (second.hour, second.fold) == (2, 1)
    assert parse_interval("now~now+40m", first).end == parse_when("now+40m", first)
    with pytest.raises(InputError, match="before it starts"):
        parse_interval("now+40m~now", first)


def test_display() -> None:
    assert format_when(NOW) == "2026-03-28 14:30:00"
    assert format_when(None) == "unknown"
    assert format_when(datetime(1979, 12, 31, tzinfo=UTC)) == "unknown"


def test_interval() -> None:
    both = parse_interval("today~now", NOW)
    assert (both.start, both.end) == (parse_when("today", NOW), NOW)
    assert parse_interval("today~", NOW).end is None
    assert parse_interval("~now", NOW).start is None
    assert parse_interval("now~now", NOW) == (NOW, NOW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "~"),
        ("~", "start~end"),
        ("now~today", "before it starts"),
        ("a~b", "bad time 'a'"),
        ("now~now~now", "bad time"),
    ],
)
def test_interval_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_interval(text, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("09:00", "2026-03-28T09:00:00+01:00"),
        ("14:30", "2026-03-28T14:30:00+01:00"),
        ("16:00", "2026-03-27T16:00:00+01:00"),
        ("4pm-friday", None),
        ("4:00pm", "2026-03-27T16:00:00+01:00"),
        ("midnight", "2026-03-28T00:00:00+01:00"),
        ("noon", "2026-03-28T12:00:00+01:00"),
        ("teatime", "2026-03-27T16:00:00+01:00"),
        ("yesterday", "2026-03-27T00:00:00+01:00"),
        ("today", "2026-03-28T00:00:00+01:00"),
        ("tomorrow", "2026-03-29T00:00:00+01:00"),
        ("noon-yesterday", "2026-03-27T12:00:00+01:00"),
        ("yesterday 9:00", "2026-03-27T09:00:00+01:00"),
        ("yesterdayT09:00", "2026-03-27T09:00:00+01:00"),
        ("saturday", "2026-03-28T00:00:00+01:00"),
        ("16:00-saturday", "2026-03-21T16:00:00+01:00"),
        ("SUNDAY", "2026-03-22T00:00:00+01:00"),
        ("03/28", "2026-03-28T00:00:00+01:00"),
        ("03/28-16:00", "2025-03-28T16:00:00+01:00"),
        ("03/29", "2025-03-29T00:00:00+01:00"),
        ("1231", "2025-12-31T00:00:00+01:00"),
        ("02/29", "2024-02-29T00:00:00+01:00"),
        ("12/31/26", "2026-12-31T00:00:00+01:00"),
        ("-3d", "2026-03-25T14:30:00+01:00"),
        ("-1-12", "2026-03-27T02:30:00+01:00"),
        ("3 days ago", "2026-03-25T14:30:00+01:00"),
        ("3days ago", "2026-03-25T14:30:00+01:00"),
        ("90m ago", "2026-03-28T13:00:00+01:00"),
        ("now-2hours", "2026-03-28T12:30:00+01:00"),
        ("now", "2026-03-28T14:30:00+01:00"),
        ("2026-03-01", "2026-03-01T00:00:00+01:00"),
        ("-", None),
        ("ago", None),
        ("--3d", None),
        ("02/30", None),
    ],
)
def test_filters_of_the_past_read_the_last_such_moment(text: str, moment: str | None) -> None:
    if moment is None:
        with pytest.raises(InputError):
            parse_when(text, NOW, past=True)
    else:
        assert parse_when(text, NOW, past=True).isoformat() == moment


@pytest.mark.parametrize("text", ["yesterday", "-3d", "3d ago"])
def test_what_is_to_come_is_not_written_as_past(text: str) -> None:
    with pytest.raises(InputError):
        parse_when(text, NOW)


def test_slurms_order_of_day_and_time() -> None:
    assert parse_when("03/29-16:00", NOW).isoformat() == "2026-03-29T16:00:00+02:00"
    assert parse_when("tomorrowT16:00", NOW).isoformat() == "2026-03-29T16:00:00+02:00"


def test_an_interval_of_the_past() -> None:
    since = parse_interval("yesterday", NOW, past=True)
    assert (since.start, since.end) == (parse_when("yesterday", NOW, past=True), None)
    days = parse_interval("-3d ~ -1d", NOW, past=True)
    assert days.start and days.end and (days.end - days.start).days == 2
    assert parse_interval("~2030-01-01", NOW, past=True).start is None


@pytest.mark.parametrize("text", ["tomorrow", "2030-01-01~", "now+1h~", "2026-12-24~2026-12-26"])
def test_an_interval_in_the_future_says_so(text: str) -> None:
    with pytest.raises(InputError, match="can hold nothing: it starts in the future"):
        parse_interval(text, NOW, past=True)


@pytest.mark.parametrize(
    ("text", "instead"), [("now", ", or ~now for up to then"), ("now~", ", or ~now"), ("-0m", "-3d~")]
)
def test_an_interval_from_now_on_holds_nothing_past(text: str, instead: str) -> None:
    with pytest.raises(InputError, match="can hold nothing: it starts now") as said:
        parse_interval(text, NOW, past=True)
    assert instead in said.value.message


@pytest.mark.parametrize("text", ["2026-03-02~2026-03-01", "now~-1h", "today~yesterday", "12:00~11:00"])
def test_an_interval_that_ends_before_it_starts_says_so(text: str) -> None:
    with pytest.raises(InputError, match="can hold nothing: it ends before it starts"):
        parse_interval(text, NOW, past=True)
