"""Decide whether the device files that a node is configured with are there (`devices` in docs/configuration.md)."""

import os
import stat
from collections.abc import Mapping, Sequence

#: how each fault begins: by this a node knows its own drain again
FAULT = "device file "


def fault_of(devices: Mapping[str, Sequence[str]]) -> str:
    """Return what is wrong with the first file that is not as it should be, "" = nothing. ``devices``: files by
    resource."""
    for kind, files in devices.items():
        for file in files:
            if why := _wrong(file):
                return f"{FAULT}{file} of {kind} {why}"
    return ""


def _wrong(file: str) -> str:
    try:
        mode = os.stat(file).st_mode
    except OSError as error:
        return f"cannot be found: {os.strerror(error.errno or 0)}"
    return "" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "is no device"
