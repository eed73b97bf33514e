"""Moves between cgroups without the wait: the kernel's `favordynmods` (Linux 6.0 and later). Standard library only.

A start on an idle node moves a spawner into the job's cgroup. By default the first such move after a pause waits for
an RCU grace period (8 to 16 ms, measured); with this option of the cgroup superblock it takes 0.3 ms. It makes forks
and exits of the whole host slightly dearer, so a site may refuse it (`FavorDynMods: false`). It stays on until reboot.
"""

import ctypes
import os

from workers.cgroup.mounts import Mount, parse_mountinfo

_OPTION = "favordynmods"
#: the same number on every architecture; the calls are as old as Linux 5.2
_SYS_FSCONFIG, _SYS_FSPICK = 431, 433
_SET_FLAG, _RECONFIGURE = 0, 7
_AT_FDCWD = -100


def favour() -> bool:
    """Switch it on for the hierarchy that is best fit for it; whether it is on now. Never raises: it is only speed."""
    try:
        found = _mounts()
        if any(_OPTION in mount.controllers for mount in found):
            return True
        best = max(found, key=lambda mount: mount.version, default=None)
        if best is not None:
            _reconfigure(best.point)
        return best is not None
    except OSError:
        return False


def favoured() -> bool:
    """Return whether some hierarchy has it: one is enough, as the lock that makes a move wait is one for all."""
    return any(_OPTION in mount.controllers for mount in _mounts())


def _mounts() -> list[Mount]:
    """The hierarchies that we may change, with v2's options in the place of controllers, which it does not list."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        text = file.read()
    mounts = zip(parse_mountinfo(text), _options(text), strict=True)
    return [mount._replace(controllers=mount.controllers | options) for mount, options in mounts if mount.writable]


def _options(text: str) -> list[frozenset[str]]:
    lines = (line for line in text.splitlines() if line.partition(" - ")[2].startswith(("cgroup ", "cgroup2 ")))
    return [frozenset(line.rpartition(" ")[2].split(",")) & {_OPTION} for line in lines]


def _reconfigure(point: str) -> None:
    """Add the option to a mounted hierarchy; what else it is mounted with stays. Raises OSError."""
    picked = _call(_SYS_FSPICK, _AT_FDCWD, os.fsencode(point), 0)
    try:
        _call(_SYS_FSCONFIG, picked, _SET_FLAG, _OPTION.encode(), None, 0)
        _call(_SYS_FSCONFIG, picked, _RECONFIGURE, None, None, 0)
    finally:
        os.close(picked)


def _call(number: int, *args: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer: int = libc.syscall(number, *args)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
