"""The caller's time zone, in which the gateway reads and shows moments."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ZONES, _LOCAL = "/usr/share/zoneinfo", "/etc/localtime"
#: characters of a zone that the gateway takes
_LONGEST = 100


def zone(environ: Mapping[str, str] = os.environ) -> str:
    """Return the zone of ``date`` as text that holds all year: its IANA name, else its rule (``CET-1CEST,M3.5.0,...``).

    Found as the C library finds it: by ``$TZ``, a file in ``$TZDIR`` or a rule, else by /etc/localtime, be that a link
    or a copy. Where there is neither name nor rule, the offset from UTC now, such as ``+0100``.
    """
    import time

    named = environ.get("TZ")
    path = _LOCAL if named is None else os.path.join(environ.get("TZDIR") or _ZONES, named.removeprefix(":"))
    found = _of_file(path) or _rule(named or "")
    return found if 0 < len(found) <= _LONGEST else time.strftime("%z")


def _of_file(path: str) -> str:
    """Return the name of a zone's file, or the rule at its end; "" for no such file."""
    try:
        there = os.path.realpath(path, strict=True)
        _, found, name = there.partition("/zoneinfo/")
        if found:
            return name
        with open(there, "rb") as file:
            block = file.read()
    except (OSError, ValueError):
        return ""
    return _rule(block.rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace")) if block[:4] == b"TZif" else ""


def _rule(text: str) -> str:
    """Return a rule that has a summer time; "" for anything else: its offset of now says as much."""
    import re

    name = r"(?:<[-+A-Za-z0-9]+>|[A-Za-z]{3,})"
    return text if re.match(rf"(?a){name}[-+]?\d[\d:]*{name}[-+\d:,./MJ]*\Z", text) else ""
