"""Which processes the kernel has killed for want of memory, as its log tells. Standard library only.

The counters of a cgroup say how many were killed, not which. The log names them, where it may be read (by root, and by
users where ``kernel.dmesg_restrict`` is 0) and where it numbers processes as we do (not in a container).
"""

import os
import re
import time
from collections import deque

_KILLED = re.compile(rb"^\d+,\d+,(\d+),[^;]*;.*\bKilled process (\d+) ")
_STAMP = re.compile(rb"^\d+,\d+,(\d+),")
#: the first pid namespace (PROC_PID_INIT_INO): the numbers in the log are those of this one
_FIRST_NAMESPACE = "pid:[4026531836]"
_MOST = 4096
#: seconds that a record may come after the end of the process that it is about
_LATE_S = 0.01
#: the log's clock drifts from the monotonic one: seconds, and seconds for each second since the boot
_SLACK_S, _DRIFT = 2.0, 1e-3


class KernelLog:
    """The log, read on from where it was read last, and only when somebody asks."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        """Open nothing yet."""
        self._path = path
        self._fd = -1
        self._oldest = 0.0
        self._killed: deque[tuple[int, float]] = deque(maxlen=_MOST)

    def named(self, pid: int, began: float, ended: float) -> bool | None:
        """Return whether it names a process that lived from ``began`` to ``ended`` (monotonic); None = unknown."""
        slack = _SLACK_S + _DRIFT * ended
        for pause in (0.0, _LATE_S):  # it is written when the signal has been sent
            time.sleep(pause)
            if not pid or not self._read():
                return None
            if any(one == pid and began - slack <= at <= ended + slack for one, at in self._killed):
                return True
        return False if self._oldest < ended - slack else None

    def _read(self) -> bool:
        try:
            if self._fd < 0:
                if os.readlink("/proc/self/ns/pid") != _FIRST_NAMESPACE:
                    return False
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            while record := self._next():
                self._take(record)
        except OSError:
            return False
        return True

    def _next(self) -> bytes:
        """Return the next record; nothing at the end."""
        while True:
            try:
                return os.read(self._fd, 8192)
            except BrokenPipeError:  # records were overwritten: the oldest that is left comes next
                self._oldest = 0.0
            except BlockingIOError:
                return b""

    def _take(self, record: bytes) -> None:
        if stamp := _STAMP.match(record):
            self._oldest = self._oldest or int(stamp[1]) / 1e6 or 1e-6
        if found := _KILLED.match(record):
            self._killed.append((int(found[2]), int(found[1]) / 1e6))
