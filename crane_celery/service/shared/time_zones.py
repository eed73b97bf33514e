"""Moments as people write them, in the zone of whoever asks."""

import io
import struct
import time
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from crane_celery.grammar.when import format_when, parse_when

#: when summer time begins and ends where a rule does not say, as in the C library
_USUAL = ",M3.2.0,M11.1.0"


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its offset (``+HH:MM``), its IANA name or its rule; this host's for anything unknown."""
    for read in (_offset, lambda text: ZoneInfo(text.lstrip(":")), _rule, lambda text: _rule(text + _USUAL)):
        try:
            return read(name)
        except (ValueError, OSError, KeyError):
            continue
    return _local_zone()


def _offset(text: str) -> tzinfo:
    found = datetime.strptime(text, "%z").tzinfo
    assert found is not None  # %z makes one
    return found


def _rule(text: str) -> tzinfo:
    """Return the zone of a POSIX rule, such as ``CET-1CEST,M3.5.0,M10.5.0/3``. Raises ValueError."""
    if not text or "\n" in text:
        raise ValueError(text)
    half = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(half * 2 + b"\n" + text.encode("ascii") + b"\n"))


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
