"""The one choice of a driver, and what `crane doctor` says of it."""

import os

from workers.cgroup.api import CgroupError, Driver, Finding
from workers.cgroup.dynmods import favoured
from workers.cgroup.files import read_or
from workers.cgroup.mounts import Host, here
from workers.cgroup.none import NoneDriver
from workers.cgroup.v1 import Layout, V1Driver, layout_of
from workers.cgroup.v2 import V2Driver, base_of

_KINDS = ("v2", "v1", "none")


def directory_for(root_hint: str, node: str) -> str:
    """Return the name of the directory of one node of one cluster, such as `crane.main.n1`."""
    return f"{root_hint}.{node}".replace("/", "_").replace("\n", "_")


def _v1_layouts(host: Host, *, cpuset: bool, devices: bool) -> list[Layout]:
    """Return the ways to use v1, best first: with the v2 tree beside it, then with the freezer; with devices first."""
    ways = [
        layout_of(host.v1, tree, cpuset=cpuset, devices=held)
        for held in dict.fromkeys((devices, False))
        for tree in (host.v2, None)
    ]
    return [layout for layout in dict.fromkeys(ways) if layout is not None]


def probe(root_hint: str, node: str, *, want: str = "auto", cpuset: bool = False, devices: bool = False) -> Driver:
    """Choose and prepare a driver: v2 where it has the memory controller, else v1, else none.

    `root_hint` tells clusters apart that share a host (`crane.<cluster>`). `want` names one driver, and is an error
    where that one does not work; `cpuset` asks for cpusets, which cost a start more than all else together on v1;
    `devices` asks for the devices controller, which only v1 has (v2 wants a BPF program for each group).
    """
    if want not in ("auto", *_KINDS):
        raise CgroupError(f"no such cgroup driver: {want!r} (auto, v2, v1 and none are)")
    directory = directory_for(root_hint, node)
    refused = []
    for kind in _KINDS if want == "auto" else (want,):
        try:
            return _open(kind, directory, cpuset=cpuset, devices=devices)
        except (CgroupError, OSError) as exc:
            refused.append(f"{kind}: {exc}")
    raise CgroupError("; ".join(refused))


def _open(kind: str, directory: str, *, cpuset: bool, devices: bool) -> Driver:
    if kind == "none":
        return NoneDriver(directory)
    host = here()
    if kind == "v2":
        if host.v2 is None:
            raise CgroupError("no writable cgroup2 mount")
        return V2Driver(host.v2, directory, cpuset=cpuset)
    return _open_v1(_v1_layouts(host, cpuset=cpuset, devices=devices), directory)


def _open_v1(layouts: list[Layout], directory: str) -> Driver:
    error = CgroupError("no writable v1 memory hierarchy, or neither a freezer nor a cgroup2 mount")
    for layout in layouts:
        try:
            return V1Driver(layout, directory)
        except CgroupError as exc:
            error = exc
    raise error


def isolates(want: str = "auto") -> bool:
    """Return whether a node of this host would keep jobs from devices that they do not hold. Changes nothing."""
    host = here()
    base = None if host.v2 is None else base_of(host.v2)
    whole = base is not None and "memory" in read_or(f"{base}/cgroup.controllers", "").split()
    if want not in ("auto", "v1") or (want == "auto" and whole):
        return False
    return all(_open_to_us(host.v1.get(name)) for name in ("memory", "devices"))


def explain() -> list[Finding]:
    """Say what the host offers to hold jobs, and how to mend what it lacks. Changes nothing."""
    host = here()
    base = None if host.v2 is None else base_of(host.v2)
    offered = set() if base is None else set(read_or(f"{base}/cgroup.controllers", "").split())
    driver = _explain_v2(base, offered) if "memory" in offered and base is not None else _explain_v1(host)
    return [*driver, _dynmods(), _pidfd()]


def _dynmods() -> Finding:
    on = favoured()
    mend = "mount -o remount,favordynmods on a cgroup mount (nodes of root do it): starts do not wait 8 to 16 ms"
    return Finding("cgroup moves", on, "favordynmods" if on else "slow after a pause", mend)


def _explain_v2(base: str, offered: set[str]) -> list[Finding]:
    delegate = "run the node as a systemd unit with Delegate=yes, or as root"
    writable = os.access(base, os.W_OK) and os.access(f"{base}/cgroup.subtree_control", os.W_OK)
    missing = {"cpu", "memory", "pids"} - offered
    found = [
        Finding("cgroup driver", writable, f"v2, below {base}", delegate),
        Finding(
            "cgroup controllers",
            not missing,
            f"missing: {' '.join(sorted(missing))}" if missing else "cpu memory pids",
            delegate,
        ),
    ]
    kill = os.path.exists(f"{base}/cgroup.kill") or not os.path.exists(f"{base}/cgroup.events")
    found.append(Finding("cgroup.kill", kill, "there" if kill else "absent", "Linux 5.14 or later kills a job at once"))
    return found


def _explain_v1(host: Host) -> list[Finding]:
    wanted = {name: host.v1.get(name) for name in ("memory", "cpu", "pids")}
    closed = sorted(name for name, path in wanted.items() if not _open_to_us(path))
    mend = "mount the v1 hierarchies writable, or boot with systemd.unified_cgroup_hierarchy=1; run the node as root"
    beside, freezer = _open_to_us(host.v2), _open_to_us(host.v1.get("freezer"))
    usable = "memory" not in closed and (beside or freezer)
    driver = "v1" if usable else "none: sessions and rlimits; a kill for want of memory is not told apart"
    offered = f"missing: {' '.join(closed)}" if closed else "cpu memory pids"
    tracking = "the v2 tree beside v1" if beside else "v1's freezer" if freezer else "none"
    better = "mount cgroup2 at /sys/fs/cgroup/unified: a job is then killed at once, and its end is an event"
    return [
        Finding("cgroup driver", usable, driver, mend),
        Finding("cgroup controllers", not closed, offered, mend),
        Finding("cgroup tracking", beside, tracking, better),
    ]


def _open_to_us(path: str | None) -> bool:
    return path is not None and os.access(path, os.W_OK)


def _pidfd() -> Finding:
    mend = "Linux 5.3 or later, and a container whose filter lets pidfd_open pass"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as exc:
        return Finding("pidfd", False, exc.strerror or str(exc), mend)
    return Finding("pidfd", True, "there", mend)
