"""Durations and delays: CraneSched's and Slurm's forms."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.duration import FOREVER_S, format_duration, format_units, parse_delay, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:2:3", 3723),
        ("2-0:0:1", 172801),
        ("0:90:0", 5400),
        ("90", 5400),
        ("10:00", 600),
        ("1-2", 93600),
        ("1-2:30", 95400),
        ("1-00:00:00", 86400),
        ("0", 0),
        ("1h30m", 5400),
        ("1H30Min", 5400),
        ("2days", 172800),
        ("1week", 604800),
        ("45seconds", 45),
        ("unlimited", None),
        ("UNLIMITED", None),
        ("infinite", None),
    ],
)
def test_duration(text: str, seconds: int | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "x",
        "1:",
        ":1",
        "1-",
        "-",
        "1:2:3:4",
        "1h30",
        "1.5h",
        "1 h",
        " 1",
        "5x",
        "h",
        "1-2-3",
        "٣",
        "9" * 25,
        "9999999w",
    ],
)
def test_duration_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text)
    assert repr(text)[:20] in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00"),
        (3723, "01:02:03"),
        (172801, "2-00:00:01"),
        (None, "unlimited"),
        (FOREVER_S, "unlimited"),
        (FOREVER_S - 1, "3652499-23:59:59"),
    ],
)
def test_display(seconds: int | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 600),
        ("10s", 10),
        ("1h30m", 5400),
        ("90m", 5400),
        ("2d", 172800),
        ("1W", 604800),
        ("0", 0),
        ("1hour2minutes", 3720),
    ],
)
def test_delay(text: str, seconds: int) -> None:
    assert parse_delay(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "invalid", "5x", "+5", "5m3", "1:00", "1-0:0:0", "-1", "unlimited", "9" * 30, "1e3"]
)
def test_delay_refused(text: str) -> None:
    with pytest.raises(InputError, match="bad delay"):
        parse_delay(text)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (2, "2s"), (5400, "1h30m"), (90061, "1d1h1m1s")])
def test_units(seconds: int, text: str) -> None:
    assert format_units(seconds) == text
