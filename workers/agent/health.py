"""Test whether a node can start jobs: at the start, each minute, and when a launch failed by its fault.

A node that cannot drains itself with the reason, so that it does not draw the whole queue through a broken place, and
takes jobs again when the test passes. What an operator has said of a node stands.
"""

import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence

from crane_celery.settings.devices import FAULT as DEVICE
from crane_celery.settings.devices import fault_of

#: how the reasons of our own drains begin: by this a node knows them again
FAULT = "self-test: "
OWN = (DEVICE, FAULT)
#: seconds between two tests; the same while something is wrong; and for which the shepherd may be silent
EVERY_S, AGAIN_S, SILENT_S = 60.0, 5.0, 20.0
#: the longest time that a node stays drained after its test passed, where it fails again and again
LONGEST_S = 600.0
#: bytes that must be free for scripts and journals; descriptors that must be left; seconds that clocks may differ
_FREE, _DESCRIPTORS, _SKEW_S = 8 << 20, 64, 300.0


class Health:
    """State of one node's self-test. Times are monotonic seconds."""

    def __init__(self, spool: str, devices: Mapping[str, Sequence[str]], clock: Callable[[], float]) -> None:
        """Not tested yet."""
        self._spool, self._devices, self._clock = spool, devices, clock
        self._due = 0.0
        self._asked_at = 0.0
        self._of_shepherd = ""
        self._of_launch = ""
        self._failed_at = -LONGEST_S
        self._pause_s = 0.0
        self._last = ""

    def due(self) -> bool:
        """Return whether the shepherd is to be asked to test itself, and note that it was."""
        now = self._clock()
        if now < self._due:
            return False
        self._due = now + EVERY_S
        self._asked_at = self._asked_at or now
        return True

    def tested(self, faults: Sequence[str]) -> None:
        """Take the shepherd's answer."""
        self._asked_at = 0.0
        self._of_shepherd = faults[0] if faults else ""

    def launch_failed(self, why: str) -> None:
        """A launch failed by the node's fault: the node rests, twice as long where that happens again soon."""
        if self._of_launch:
            return  # one of those that were under way when it began
        now = self._clock()
        soon = now - self._failed_at < LONGEST_S
        self._pause_s = min(LONGEST_S, 2 * self._pause_s if soon and self._pause_s else AGAIN_S)
        self._failed_at, self._of_launch = now, why
        self._due = 0.0

    def fault(self, skew_s: float) -> str:
        """Return what is wrong now, "" = nothing. ``skew_s``: this host's clock - the server's."""
        now = self._clock()
        if self._of_launch and now - self._failed_at >= self._pause_s:
            self._of_launch = ""
        self._last = fault_of(self._devices) or self._own(skew_s, now)
        if self._last:
            self._due = min(self._due, now + AGAIN_S)
        return self._last

    def _own(self, skew_s: float, now: float) -> str:
        silent = self._asked_at and now - self._asked_at > SILENT_S
        found = (
            self._of_shepherd
            or self._of_launch
            or ("the shepherd does not answer" if silent else "")
            or (f"the clock differs from the server's by {skew_s:.0f} s" if abs(skew_s) > _SKEW_S else "")
            or of_host(self._spool)
        )
        return FAULT + found if found else ""


def of_host(spool: str) -> str:
    """Return what is wrong with the spool or the descriptors of this process, "" = nothing. Writes a small file."""
    try:
        free = os.statvfs(spool)
        if free.f_bavail * free.f_frsize < _FREE:
            return f"the spool {spool} has {free.f_bavail * free.f_frsize >> 20}M left, {_FREE >> 20}M are needed"
        _write(f"{spool}/selftest")
    except OSError as error:
        return f"the spool {spool} cannot be written: {error.strerror}"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = len(os.listdir("/proc/self/fd"))
    return f"{used} of {limit} descriptors are open" if used + _DESCRIPTORS > limit else ""


def _write(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"%f" % time.time())
    finally:
        os.close(fd)
    os.unlink(path)
