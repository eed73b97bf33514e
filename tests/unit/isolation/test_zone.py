"""The caller's zone, as the gateway is told of it: found as the C library finds it, and true all year."""

import shutil
import time
from pathlib import Path

import pytest

from crane_celery import zone as module
from crane_celery.service.shared.time_zones import moment
from crane_celery.zone import zone

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
#: 2026-01-15 12:00 UTC
WINTER = 1768478400.0


@pytest.mark.parametrize(
    ("tz", "told"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":America/New_York", "America/New_York"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("XYZ-5:30", "+0530"),
        (BERLIN, BERLIN),
        ("<+01>-1<+02>,M3.5.0,M10.5.0/3", "<+01>-1<+02>,M3.5.0,M10.5.0/3"),
        ("no/such", "+0000"),
        ("", "+0000"),
        ("a\0b", "+0000"),
    ],
)
def test_zone(monkeypatch: pytest.MonkeyPatch, tz: str, told: str) -> None:
    if "\0" in tz:
        monkeypatch.setattr(time, "strftime", lambda _form: "+0000")
    else:
        monkeypatch.setenv("TZ", tz)
        time.tzset()
    assert zone({"TZ": tz}) == told
    monkeypatch.delenv("TZ", raising=False)
    time.tzset()


def test_the_folder_of_zones_may_be_another(tmp_path: Path) -> None:
    (tmp_path / "zoneinfo").mkdir()
    (tmp_path / "zoneinfo" / "Here").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert zone({"TZ": "Here", "TZDIR": str(tmp_path / "zoneinfo")}) == "Europe/Berlin"


def test_a_host_whose_localtime_is_a_copy_tells_its_rule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = shutil.copy("/usr/share/zoneinfo/Europe/Berlin", tmp_path / "localtime")
    monkeypatch.setattr(module, "_LOCAL", str(copy))
    assert zone({}) == BERLIN


@pytest.mark.parametrize("told", ["Europe/Berlin", BERLIN, "<+01>-1<+02>,M3.5.0,M10.5.0/3"])
def test_a_moment_behind_the_change_to_summer_time(told: str) -> None:
    """Typed in winter for the summer: not an hour off."""
    assert moment("2026-07-01T10:00", WINTER, told) == 1782892800.0  # 08:00 UTC
    assert moment("2026-02-01T10:00", WINTER, told) == 1769936400.0  # 09:00 UTC


def test_a_rule_without_dates_changes_as_in_america() -> None:
    assert moment("2026-07-01T10:00", WINTER, "AAA5BBB") == moment("2026-07-01T10:00", WINTER, "America/New_York")
