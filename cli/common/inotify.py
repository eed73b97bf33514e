"""News of files from the kernel (inotify(7)), by ctypes; and where the kernel has none to tell."""

from __future__ import annotations

import ctypes
import os

from crane_celery.errors import SystemFault

#: a file: written, cut, moved, removed; a folder: something new in it
_MODIFY, _ATTRIB, _MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 0x2, 0x4, 0x80, 0x100, 0x400, 0x800
_FILE, _FOLDER = _MODIFY | _ATTRIB | _DELETE_SELF | _MOVE_SELF, _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF
#: kinds of file systems where other hosts write, of which this kernel does not hear
_REMOTE = (
    "nfs",
    "cifs",
    "smb",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "9p",
    "fuse",
    "afs",
    "panfs",
    "orangefs",
    "glusterfs",
)


class Watch:
    """Readable (``fd``) when something happens to what was added."""

    def __init__(self) -> None:
        """Raises SystemFault where the kernel gives no more of them."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise SystemFault(f"cannot follow files: {os.strerror(ctypes.get_errno())}")

    def add(self, path: str) -> bool:
        """Hear of a file, or where it is not there yet, of the nearest folder that is; whether all is heard of."""
        if self._add(path, _FILE):
            return not remote(path)
        folder = path
        while folder not in ("/", ""):
            folder = os.path.dirname(folder)
            if self._add(folder, _FOLDER):
                return not remote(folder)
            if os.path.isdir(folder):
                return False  # it cannot be read: looked at from time to time
        return False

    def _add(self, path: str, mask: int) -> bool:
        return bool(self._libc.inotify_add_watch(self.fd, os.fsencode(path), mask) >= 0)

    def clear(self) -> None:
        """Take the news."""
        try:
            while os.read(self.fd, 1 << 16):
                pass
        except BlockingIOError:
            return


def remote(path: str) -> bool:
    """Return whether other hosts may write there without this kernel's knowing."""
    try:
        number = os.stat(path).st_dev
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                left, _, right = line.partition(" - ")
                if left.split()[2] == f"{os.major(number)}:{os.minor(number)}":
                    return right.startswith(_REMOTE)
    except (OSError, IndexError):
        return True
    return False
