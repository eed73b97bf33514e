"""What the environment of a caller was before a shell and an interpreter stood between."""

from __future__ import annotations

import os


def restore(encoded: str) -> None:
    """Make this process's environment that of a block as the kernel shows it in ``/proc/PID/environ``, in base64."""
    from binascii import a2b_base64

    found = _entries(a2b_base64(encoded))
    for name in os.environb.keys() - found.keys():
        del os.environb[name]
    os.environb.update(found)


def _entries(block: bytes) -> dict[bytes, bytes]:
    """Return the variables of a block by name; of two with one name the first counts, as in getenv(3)."""
    found: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, value)
    return found
