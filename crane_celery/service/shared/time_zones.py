"""Moments as people write them, in the zone of whoever asks."""

import time
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from crane_celery.grammar.when import format_when, parse_when


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name, or as ``+HH:MM`` by its offset; this host's for anything unknown."""
    try:
        return datetime.strptime(name, "%z").tzinfo or _local_zone()
    except ValueError:
        pass
    try:
        return ZoneInfo(name.lstrip(":"))
    except (ValueError, OSError, KeyError):
        return _local_zone()


def moment(text: str, now: float, zone: str) -> float:
    """Server time of what was written in ``zone`` at server time ``now``. Raises InputError."""
    return parse_when(text, datetime.fromtimestamp(now, zone_of(zone))).timestamp()


def shown(at: float, zone: str) -> str:
    """A server time as the person's clock shows it."""
    return format_when(datetime.fromtimestamp(at, zone_of(zone)))


def _local_zone() -> tzinfo:
    zone = datetime.fromtimestamp(time.time()).astimezone().tzinfo
    assert zone is not None  # astimezone always sets one
    return zone
