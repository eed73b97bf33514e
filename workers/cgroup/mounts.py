"""Define where this process' own cgroups are: /proc/self/mountinfo and /proc/self/cgroup, also inside containers."""

import os
import re
from typing import NamedTuple

from workers.cgroup.files import children, numbers

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mounted hierarchy; `controllers` is empty for v2, whose controllers a file names."""

    root: str
    point: str
    version: int
    controllers: frozenset[str]
    writable: bool


class Host(NamedTuple):
    """The directories of our own groups: v2's or None, and v1's by controller. `writable` is of those directories."""

    v2: str | None
    v1: dict[str, str]


def _unescape(text: str) -> str:
    """Undo mountinfo's octal escapes of blanks, tabs, line feeds and backslashes."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the cgroup mounts of a mountinfo file: `ID PARENT DEV ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER`."""
    mounts = []
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        if kind not in ("cgroup", "cgroup2"):
            continue
        _, _, _, root, point, flags = fields.split(" ")[:6]
        supers = options.rpartition(" ")[2].split(",")
        names = frozenset() if kind == "cgroup2" else frozenset(supers) - {"rw", "ro"}
        writable = "rw" in flags.split(",") and "rw" in supers
        mounts.append(Mount(_unescape(root), _unescape(point), 2 if kind == "cgroup2" else 1, names, writable))
    return mounts


def parse_cgroup(text: str) -> dict[str, str]:
    """Return our path by controller from /proc/self/cgroup; v2's is under the empty name."""
    paths = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    return paths


def own_dir(mount: Mount, path: str) -> str | None:
    """Return the directory of a group within a mount, or None when the mount does not show it.

    The mount's root is not `/` in a container that shares the host's cgroup namespace. With a namespace of its own
    and the host's tree mounted, the root reads `/..` and names cannot tell where we are.
    """
    if ".." in mount.root.split("/") or ".." in path.split("/"):
        return None
    root = mount.root.rstrip("/")
    if path.rstrip("/") != root and not path.startswith(root + "/"):
        return None
    return (mount.point + path[len(root) :]).rstrip("/")


def find_pid(top: str, pid: int) -> str | None:
    """Return the group below a directory that holds a process, by looking into each."""
    if pid in numbers(f"{top}/cgroup.procs"):
        return top
    found = (find_pid(child, pid) for child in children(top))
    return next((path for path in found if path is not None), None)


def locate(mountinfo: str, cgroup: str) -> Host:
    """Return where our own groups are, of the hierarchies that are mounted so that they may be written."""
    paths = parse_cgroup(cgroup)
    v2: str | None = None
    v1: dict[str, str] = {}
    for mount in parse_mountinfo(mountinfo):
        if not mount.writable:
            continue
        for name in mount.controllers & paths.keys() if mount.version == 1 else {""}:
            where = own_dir(mount, paths.get(name, "/")) or find_pid(mount.point, os.getpid())
            if where is not None and mount.version == 1:
                v1.setdefault(name, where)
            elif where is not None:
                v2 = v2 or where
    return Host(v2, v1)


def here() -> Host:
    """Return where this process' own groups are."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts, open("/proc/self/cgroup", encoding="utf-8") as own:
        return locate(mounts.read(), own.read())
