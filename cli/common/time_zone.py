"""The caller's time zone, in which the gateway reads and shows moments."""

from __future__ import annotations

_ZONES = "/usr/share/zoneinfo"


def zone() -> str:
    """Its IANA name where ``$TZ`` or /etc/localtime leads to one, else its offset from UTC now: what ``date`` shows."""
    import os
    import time

    named = os.environ.get("TZ")
    path = "/etc/localtime" if named is None else os.path.join(_ZONES, named.lstrip(":"))
    try:
        there = os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        there = ""
    _, found, name = there.partition("/zoneinfo/")
    return name if found else time.strftime("%z")
