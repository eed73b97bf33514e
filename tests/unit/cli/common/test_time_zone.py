"""The caller's zone, as the gateway is told of it."""

import time

import pytest

from cli.common.time_zone import zone


@pytest.mark.parametrize(
    ("tz", "told"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":America/New_York", "America/New_York"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("XYZ-5:30", "+0530"),
        ("no/such", "+0000"),
        ("", "+0000"),
        ("a\0b", "+0000"),
    ],
)
def test_zone(monkeypatch: pytest.MonkeyPatch, tz: str, told: str) -> None:
    if "\0" in tz:
        monkeypatch.setattr("os.environ", {"TZ": tz})
        monkeypatch.setattr(time, "strftime", lambda _form: "+0000")
    else:
        monkeypatch.setenv("TZ", tz)
        time.tzset()
    assert zone() == told
    monkeypatch.delenv("TZ")
    time.tzset()
