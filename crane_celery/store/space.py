"""Free space on the server's disk: submissions end before it is full, so that the last of it is kept for what runs.

On the server's host its directory is looked at for every submission (some microseconds). Other hosts cannot see it: the
recorder, which belongs on the server's host, tells them by a key with a time to live. Where the recorder is elsewhere
too, or the server lets nobody ask for its directory, nobody knows: nothing is refused before the server itself refuses.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from urllib.parse import urlsplit

from crane_celery.errors import CraneError, DiskFull, SystemFault
from crane_celery.store.keys import Keys
from crane_celery.store.link import Link

log = logging.getLogger(__name__)
#: seconds between two looks of the recorder, and the life of what it tells
LOOK_S, LIFE_S = 2.0, 30
_MIB = 1 << 20


class Space:
    """The free space of one server, and how much of it is kept."""

    def __init__(self, url: str, prefix: str, kept: int) -> None:
        """``kept``: bytes that submissions must leave free; 0 = none."""
        self._link = Link(url, prefix)
        self._key = Keys(prefix).one("full")
        self._local = is_local(url)
        self._address, self._kept = self._link.address, kept
        self._folder = ""
        self._told = True  # what an earlier recorder told may stand

    def guard(self) -> None:
        """Before a submission. Raises DiskFull when less is free than is kept, Unreachable."""
        free = self._free()
        if free is None and self._kept:
            told = self._link.do("GET", self._key)
            free = int(told) if told is not None else None
        if free is not None and free < self._kept:
            where = self._folder or "its data directory"
            raise DiskFull(
                f"the disk of the server at {self._address} has {free // _MIB} MB left, and {self._kept // _MIB} MB"
                f" are kept for what runs: make room in {where} there, or lower MinFreeSpace"
            )

    def tell(self) -> None:
        """Let other hosts know whether there is room, where this host can see it. Raises Unreachable, DiskFull."""
        free = self._free()
        if free is None:
            return
        if free < self._kept:
            self._told = True
            self._link.do("SET", self._key, free, "EX", LIFE_S)
        elif self._told:
            self._link.do("DEL", self._key)
            self._told = False

    def watch(self) -> None:
        """Tell again and again, in a thread of this process."""
        if self._local and self._kept:
            threading.Thread(target=self._watch, name="space", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()  # never set: the process ends with us asleep
        while not pause.wait(LOOK_S):
            try:
                self.tell()
            except CraneError as error:
                log.debug("free space not told: %s", error.message)

    def _free(self) -> int | None:
        """Bytes free to the server, None where this host cannot see them. Raises Unreachable."""
        if not self._local or not self._kept:
            return None
        try:
            found = os.statvfs(self._folder or self._ask())
        except (OSError, ValueError):
            return None
        return found.f_bavail * found.f_frsize

    def _ask(self) -> str:
        """The server's directory; "" when it does not tell."""
        try:
            answer = self._link.do("CONFIG", "GET", "dir")
        except SystemFault:
            return ""
        self._folder = os.fsdecode(answer[1]) if len(answer) == 2 else ""
        return self._folder


def is_local(url: str) -> bool:
    """Return whether a server's address is one of this host's own."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return True
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_is_ours(family, address) for family, _, _, _, address in found)


def _is_ours(family: socket.AddressFamily, address: tuple[object, ...]) -> bool:
    """Only an address of one's own can be bound to."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address[0], 0))
        except OSError:
            return False
        return True
