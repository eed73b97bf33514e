"""``crane status``: the processes of the cluster on this host, and its nodes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cli.common.main import say
from cli.common.options import Parser
from cli.output.render import print_json, print_lines
from crane_celery.bootstrap import open_store
from crane_celery.errors import CraneError
from crane_celery.settings import load
from crane_celery.supervisor import lock, marks, pidfiles
from crane_celery.supervisor.processes import Record

if TYPE_CHECKING:
    from crane_celery.settings import Settings

#: what others look after
_UNLISTED = (marks.SUPERVISOR, marks.SHEPHERD, "gateway.")
_DOWN = 3  # as `systemctl status` answers for what does not run


def status(argv: list[str]) -> int:
    """Print it; 0 when everything that should run here does, 3 otherwise."""
    parser = Parser("crane status", "What of the cluster runs on this host, and the state of its nodes.")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of tables")
    asked = parser.parse(argv)
    if asked.home:
        os.environ["CRANE_HOME"] = os.path.abspath(asked.home)
    settings = load()
    processes, nodes = _processes(settings), _nodes(settings)
    if asked.json:
        print_json({"cluster": settings.cluster, "home": settings.home, "processes": processes, "nodes": nodes})
    else:
        _tables(settings, processes, nodes)
    return 0 if all(each["pid"] for each in processes) else _DOWN


def _processes(settings: Settings) -> list[dict[str, Any]]:
    """One row per role that should run here, living or not."""
    supervisor = lock.living(settings.home)
    found = {role: record for record, role in marks.found(settings.home).items() if not role.startswith(_UNLISTED)}
    found |= pidfiles.read(settings.run_dir)
    expected = ["server"] * settings.embedded + ["scheduler"] + [f"node.{name}" for name in settings.nodes]
    names = dict.fromkeys([*expected, "gateway", "recorder", *found])
    rows = [_row("supervisor", supervisor), *(_row(name, found.get(name)) for name in names)]
    return rows


def _row(role: str, record: Record | None) -> dict[str, Any]:
    if record is None:
        return {"role": role, "pid": 0, "up_s": 0, "memory": 0}
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - record.start / os.sysconf("SC_CLK_TCK")
    return {"role": role, "pid": record.pid, "up_s": round(age), "memory": _resident(record.pid)}


def _resident(pid: int) -> int:
    """Bytes of memory in use; 0 when it has just ended."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _nodes(settings: Settings) -> list[dict[str, Any]] | None:
    """The nodes as the server knows them; None when it does not answer."""
    try:
        store = open_store(settings)
        now = store.now()
        found = [
            {
                "node": node.spec.name,
                "state": str(node.state),
                "cpus": node.spec.cpus,
                "memory": node.spec.memory,
                "host": node.host,
                "cgroup": node.driver,
                "heard_s": round(max(0.0, now - node.heard_at), 1),
                "reason": node.reason,
            }
            for node in store.nodes()
        ]
        store.close()
    except CraneError:
        return None
    return found


def _tables(settings: Settings, processes: list[dict[str, Any]], nodes: list[dict[str, Any]] | None) -> None:
    from tabulate import tabulate

    from crane_celery.grammar.duration import format_duration
    from crane_celery.grammar.memory import format_memory
    from crane_celery.grammar.printable import shown_record

    say(f"cluster {settings.cluster} in {settings.home}", "")
    rows = [
        (each["role"], each["pid"] or "-", format_duration(each["up_s"]), format_memory(each["memory"]))
        if each["pid"]
        else (each["role"], "-", "not running", "-")
        for each in processes
    ]
    heads = ("process", "pid", "up", "memory")
    print_lines([tabulate(rows, headers=heads, tablefmt="plain", disable_numparse=True)])
    if nodes is None:
        say("", "the server does not answer: the state of the nodes is not known")
        return
    say("")
    shown = [{**each, "cpus": f"{each['cpus']:g}", "memory": format_memory(each["memory"])} for each in nodes]
    print_lines([tabulate(shown_record(shown), headers="keys", tablefmt="plain", disable_numparse=True)])
