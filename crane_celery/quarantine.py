"""Items that a daemon could not process and has set aside, so that all others go on. Standard library only.

One file each in ``<home>/quarantine/``, written and synced before the daemon goes on without the item; its name is the
item's id, so that an item that is set aside twice is there once. `crane quarantine` lists them, has them tried again,
or drops them; `crane doctor` counts them.
"""

import contextlib
import json
import os
import re
from typing import Any, NamedTuple

from crane_celery.errors import InputError, NotFound, SystemFault

_NAME = re.compile(r"[a-z]+-[0-9A-Za-z._-]{1,100}")
#: files at most: a daemon that sets everything aside is to be looked at, not to fill the disk
_MOST = 10_000


class Item(NamedTuple):
    """One item that was set aside."""

    id: str  # its kind, and what names it among those: "event-1700000000000-3"
    process: str
    at: float  # seconds since the epoch
    error: str
    value: Any  # the item, as JSON
    #: it is to be tried again by the daemon that set it aside
    retry: bool = False

    @property
    def kind(self) -> str:
        """Return what it is: event (the recorder's), report (a node's)."""
        return self.id.partition("-")[0]


def folder_of(home: str) -> str:
    """Return the folder of a cluster's home."""
    return os.path.join(home, "quarantine")


def put(folder: str, item: Item) -> bool:
    """Set an item aside; False when there are too many. Raises SystemFault when it cannot be written."""
    path = _path(folder, item.id)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.path.exists(path) and len(os.listdir(folder)) >= _MOST:
            return False
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(json.dumps(item._asdict()).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
    except OSError as error:
        raise SystemFault(f"cannot set an item aside in {folder}: {error.strerror}") from error
    return True


def listed(folder: str) -> list[Item]:
    """Return all items, the oldest first; files that cannot be read are passed over."""
    found: list[Item] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        names = [name for name in os.listdir(folder) if _NAME.fullmatch(name)]
        found = [item for name in names if (item := _read(os.path.join(folder, name))) is not None]
    return sorted(found, key=lambda item: (item.at, item.id))


def get(folder: str, id: str) -> Item:
    """Return one item. Raises InputError for what is no id, NotFound."""
    item = _read(_path(folder, id))
    if item is None:
        raise NotFound(f"nothing called {id} is set aside; `crane quarantine list` shows what is")
    return item


def drop(folder: str, id: str) -> None:
    """Remove an item. Idempotent. Raises InputError for what is no id."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(folder, id))


def _path(folder: str, id: str) -> str:
    if not _NAME.fullmatch(id):
        raise InputError(f"{ascii(id)[:120]} is no id of an item; `crane quarantine list` shows them")
    return os.path.join(folder, id)


def _read(path: str) -> Item | None:
    try:
        with open(path, "rb") as file:
            value: dict[str, Any] = json.load(file)
        return Item(**value)
    except (OSError, ValueError, TypeError):
        return None
