"""``crane doctor``: what this host offers, and how to mend what it lacks. Changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from cli.common.main import say
from cli.common.options import Parser
from cli.output.render import print_json
from crane_celery import faults, quarantine
from crane_celery.errors import ConfigError, CraneError
from crane_celery.grammar.memory import format_memory, format_size
from crane_celery.grammar.printable import printable
from crane_celery.host import look
from crane_celery.isolated import command
from crane_celery.settings import home_of, load
from crane_celery.settings.devices import fault_of
from crane_celery.supervisor.redis_server import find_server

_OLDEST_PYTHON = (3, 11)
_CNI = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
_ASK_TIMEOUT_S = 20
_GIB = 1 << 30
#: findings that make it exit with 1
_GRAVE = ("python", "server", "faults of daemons", "set aside", "history")


class Finding(NamedTuple):
    """One thing looked at: whether it is as it should be, what was found, and what mends it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def doctor(argv: list[str]) -> int:
    """Print the findings; 1 where a cluster cannot run (no server), or a daemon met a fault or set something aside."""
    parser = Parser("crane doctor", "What this host offers to run jobs, and how to mend what it lacks.")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--forget-faults", action="store_true", help="forget the faults that daemons have recorded")
    asked = parser.parse(argv)
    home = os.path.abspath(asked.home) if asked.home else home_of()
    os.environ["CRANE_HOME"] = home
    if asked.forget_faults:
        faults.forget(os.path.join(home, "log"))
    found = [*_basics(home), *_defects(home), *_history(), *_groups(), *_containers(), *_names()]
    if asked.json:
        print_json([each._asdict() for each in found])
    else:
        _table(found)
    return 0 if all(each.ok for each in found if each.name in _GRAVE) else 1


def _basics(home: str) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= _OLDEST_PYTHON, version, "install Python 3.11 or later")
    yield from _server()
    yield _mode()
    yield _configuration()
    yield from _capacity()
    yield from _unheeded()
    yield _space(home)
    yield from _memory()
    yield _overcommit()


def _defects(home: str) -> Iterator[Finding]:
    """Yield what daemons of this host met and were not made for, and what they have set aside."""
    met = faults.recorded(os.path.join(home, "log"))
    last = max(met, key=lambda fault: fault.at, default=None)
    if last is None:
        yield Finding("faults of daemons", True, "none")
    else:
        told = f"{sum(fault.times for fault in met)} at {len(met)} places; last: {last.process} at {last.where}: "
        remedy = f"see {home}/log, report it, then 'crane doctor --forget-faults'"
        yield Finding("faults of daemons", False, printable(f"{told}{last.error} ({last.item})"), remedy)
    aside = quarantine.listed(quarantine.folder_of(home))
    names = ", ".join(item.id for item in aside[:3]) + (", ..." if len(aside) > 3 else "")
    yield Finding(
        "set aside", not aside, f"{len(aside)} items: {names}" if aside else "nothing", "crane quarantine list"
    )


def _history() -> Iterator[Finding]:
    """Yield whether the history can be read; one in a database server is not asked."""
    try:
        url = load().history_url
    except ConfigError:
        return
    if not url.startswith("sqlite:///"):
        return
    from crane_celery.history.migrations import VERSIONED, unsupported
    from crane_celery.history.trouble import examine, remedy

    file = url.removeprefix("sqlite:///").partition("?")[0]
    wrong = examine(file, unsupported)
    what, _, advice = wrong.partition(": ") if wrong.startswith(VERSIONED) else (wrong, "", remedy(wrong, file))
    there = file if os.path.exists(file) else f"{file}: none yet"
    yield Finding("history", not wrong, printable(f"{there}{': ' if wrong else ''}{what}"), advice)


def _server() -> Iterator[Finding]:
    try:
        server = find_server()
    except ConfigError as error:
        yield Finding("server", False, error.message.partition(". ")[0], error.message.partition(". ")[2])
        return
    yield Finding("server", True, f"{server.program} {server.version[0]}.{server.version[1]}")
    if server.allocator == "libc":
        slow = "libc: a third slower once some 100,000 runs have been kept"
        yield Finding("server's allocator", False, slow, "apt install redis-server (or valkey): crane up prefers it")


def _mode() -> Finding:
    if os.geteuid() == 0:
        return Finding("users", True, "root: jobs run as whoever submits them")
    user = f"uid {os.geteuid()} only: daemons and jobs are one user, nothing keeps a job from touching a daemon"
    return Finding("users", False, user, "for several users, run the daemons as root")


def _configuration() -> Finding:
    try:
        settings = load()
    except ConfigError as error:
        return Finding("configuration", False, error.message, "'crane up' makes one")
    return Finding("configuration", True, f"{settings.path}, {len(settings.nodes)} nodes")


def _capacity() -> Iterator[Finding]:
    """Yield whether the nodes of this host promise more than it has."""
    try:
        settings = load()
    except ConfigError:
        return
    here = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    nodes = [node for name, node in settings.nodes.items() if settings.embedded or name in here]
    if not nodes:
        return
    host = look()
    cpus, memory = sum(node.cpus for node in nodes), sum(node.memory for node in nodes)
    has = f"this host has {host.cpus:g} CPUs and {format_memory(host.memory)} of memory"
    if cpus <= host.cpus and memory <= host.memory:
        yield Finding("capacity", True, f"nodes promise {cpus:g} CPUs and {format_memory(memory)}; {has}")
        return
    what = [f"{cpus:g} CPUs"] * (cpus > host.cpus) + [f"{format_memory(memory)} of memory"] * (memory > host.memory)
    remedy = f"lower cpu and memory of the nodes in {settings.path}: jobs share CPUs and die when memory runs out"
    yield Finding("capacity", False, f"nodes promise {' and '.join(what)}; {has}", remedy)


def _unheeded() -> Iterator[Finding]:
    """Yield what is configured and has no effect yet: nobody may take it for in force."""
    try:
        settings = load()
    except ConfigError:
        return
    named = sorted(name for name, node in settings.nodes.items() if node.devices)
    if named and not _isolates(settings.cgroup):
        told = f"none, though {', '.join(named)} name device files: jobs are told their slots and can open all of them"
        yield Finding("device isolation", False, told, "keep the files' own permissions strict")
    here = {socket.gethostname(), socket.gethostname().partition(".")[0]}
    for name in named if settings.embedded else sorted(here.intersection(named)):
        if fault := fault_of(settings.nodes[name].devices):
            remedy = "mend it, or take it out of the node's devices: until then the node takes no jobs"
            yield Finding("device files", False, f"{name}: {fault}", remedy)


def _isolates(driver: str) -> bool:
    """Return whether nodes of this host can: their own program knows."""
    argv = command("workers.cgroup", "isolates", driver)
    try:
        return subprocess.run(argv, capture_output=True, timeout=_ASK_TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _space(home: str) -> Finding:
    folder = home
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    return Finding(
        "disk space", free >= _GIB, f"{free / _GIB:.1f} GiB free for {home}", "make room, or choose another CRANE_HOME"
    )


def _memory() -> Iterator[Finding]:
    """Return what is left to the configured server, if it answers."""
    from crane_celery.bootstrap import open_memory_room

    try:
        settings = load()
        left = open_memory_room(settings).left()
    except CraneError:
        return
    enough = left >= settings.min_free_memory
    remedy = "give the server more memory (maxmemory), or let jobs end: submissions are refused (MinFreeMemory)"
    yield Finding("server's memory", enough, f"{format_size(left)} left", remedy)


def _overcommit() -> Finding:
    mode = _read("/proc/sys/vm/overcommit_memory")
    remedy = "sysctl vm.overcommit_memory=1 (the server forks to rewrite its file; with little memory that may fail)"
    return Finding("vm.overcommit_memory", mode == "1", mode or "unknown", remedy)


def _groups() -> list[Finding]:
    """Return what the cgroup drivers say, asked by their own program: they belong to the nodes."""
    argv = command("workers.cgroup", "explain")
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=True)
        return [Finding(*row) for row in json.loads(said.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        return [Finding("cgroups", False, f"cannot be looked at: {error}", "is the installation complete?")]


def _containers() -> Iterator[Finding]:
    ctr, containerd = shutil.which("ctr"), shutil.which("containerd")
    there = bool(ctr and containerd)
    yield Finding(
        "containerd", there, f"{containerd}, {ctr}" if there else "absent", "apt install containerd (for --pod)"
    )
    folder = next((path for path in _CNI if os.path.isdir(path)), "")
    yield Finding(
        "CNI plugins", bool(folder), folder or "absent", "apt install containernetworking-plugins (for --pod)"
    )
    yield _subordinate_ids()


def _subordinate_ids() -> Finding:
    """Return whether this user has ids for a user namespace of a container (subuid(5)); root may map any."""
    if os.geteuid() == 0:
        return Finding("subordinate ids", True, "root needs none")
    import pwd

    user = pwd.getpwuid(os.geteuid()).pw_name
    lines = _read("/etc/subuid").splitlines()
    there = any(line.split(":")[0] in (user, str(os.geteuid())) for line in lines)
    return Finding(
        "subordinate ids", there, "there" if there else "none", f"usermod --add-subuids 100000-165535 {user}"
    )


def _names() -> Iterator[Finding]:
    """An OCI runtime is called crun as well."""
    first = shutil.which("crun")
    ours = os.path.join(os.path.dirname(sys.executable), "crun")
    if first is None:
        yield Finding("crun on PATH", False, "none", f"put {os.path.dirname(ours)} on PATH")
        return
    same = os.path.realpath(first) == os.path.realpath(ours)
    yield Finding("crun on PATH", same, first, f"that is another crun: put {os.path.dirname(ours)} first on PATH")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _table(found: list[Finding]) -> None:
    width = max(len(each.name) for each in found)
    for each in found:
        say(f"{'ok' if each.ok else '--'}  {each.name.ljust(width)}  {each.detail}")
        if not each.ok and each.remedy:
            say(f"    {' ' * width}  -> {each.remedy}")
