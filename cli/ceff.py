"""ceff: how well jobs used what they held (reference/cranesched.md section 1.9)."""

from __future__ import annotations

from cli.common.main import complain, run
from cli.common.options import Parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_REFUSED = 4
_WAITING = ("Pending", "Starting")
#: core-seconds below which processor time, which the kernel counts in ticks, says nothing
_SHORTEST_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("ceff", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "ceff",
        "Show how much of the CPUs and the memory that jobs held they have used. An array is taken together.",
        usage="ceff [options] ID[,ID...] ...",
        epilog="examples:\n  ceff 12\n  ceff 36 36_4\n  ceff --json 12,13\n",
    )
    made.add_argument("ids", nargs="+", metavar="ID", help="jobs or elements, separated by commas or blanks")
    made.add_argument("--json", action="store_true", help="print one line of JSON")
    return made


def body(argv: list[str]) -> int:
    """Parse, ask for each, print; 4 when one does not exist."""
    options = parser().parse(argv)
    from crane_celery.gateway.client import call
    from crane_celery.grammar.selector import format_selector, parse_selectors

    found, unknown = [], []
    for chosen in parse_selectors(",".join(options.ids)):
        shown = format_selector(chosen._replace(step=None))
        groups = call("usage", {"selectors": shown})
        if groups:
            found.append(usage(shown, groups))
        else:
            unknown.append(shown)
    if options.json:
        from cli.output.render import print_json

        print_json({"ok": not unknown, "efficiency_info_list": found, "unknown": unknown})
    else:
        from cli.output.render import print_lines
        from crane_celery.grammar.printable import shown_record

        print_lines(["\n\n".join(report(shown_record(each)) for each in found)])
        for shown in unknown:
            complain(f"Job {shown} does not exist.")
    return _REFUSED if unknown else 0


def usage(shown: str, groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over a job, or an array's elements: groups of equal runs, the last of each element."""
    ran = [group for group in groups if group["began_at"]]
    held_s = sum(group["held_s"] for group in ran)
    used_s = sum(group["cpu_s"] for group in ran)
    top = max(ran, key=lambda group: group["memory_peak"], default=None)
    peak, memory = (top["memory_peak"], top["alloc_memory"]) if top else (0, 0)
    states: dict[str, int] = {}
    for group in groups:
        states[group["state"]] = states.get(group["state"], 0) + group["count"]
    return {
        "job_id": shown,
        **{key: groups[0][key] for key in ("qos", "user", "gid", "account")},
        "status": next(iter(states)) if len(states) == 1 else "",
        "states": states,
        "exit_code": max(group["code"] for group in groups) if all(group["ended_at"] for group in groups) else None,
        "node_num": max((group["nodes"] for group in ran), default=0),
        "cores": max((group["alloc_cpus"] for group in ran), default=0.0),
        "elements": sum(states.values()),
        "cpu_utilized_s": used_s,
        "cpu_held_s": held_s,
        "cpu_efficiency": used_s / held_s if held_s >= _SHORTEST_S else None,
        "wall_s": sum(group["wall_s"] for group in ran),
        "memory_utilized": peak,
        "memory_held": memory,
        "memory_deaths": sum(group.get("memory_deaths", 0) for group in groups),
        "memory_efficiency": peak / memory if memory else None,
    }


def report(used: dict[str, Any]) -> str:
    """The text of one job."""
    from cli.output.cells import cpus, duration
    from cli.output.id_text import brief
    from cli.output.text_records import group

    lines = [f"JobId: {brief(used['job_id'])}{_elements(used)}", f"Qos: {used['qos'] or 'None'}"]
    lines += [f"User/Group: {used['user']}/{group(used['gid'])}", f"Account: {used['account'] or 'None'}"]
    lines.append(f"JobState: {_states(used)}")
    if not used["node_num"]:
        waits = all(state in _WAITING for state in used["states"])
        return "\n".join([*lines, f"Efficiency not available: the job {'has not started' if waits else 'never ran'}."])
    each = used["cores"] / used["node_num"]
    if used["cores"] == 1:
        lines.append("Cores: 1")
    else:
        lines += [f"Nodes: {used['node_num']}", f"Cores per node: {cpus(each)}"]
    lines += [
        f"CPU Utilized: {duration(round(used['cpu_utilized_s']))}",
        f"CPU Efficiency: {_efficiency(used, duration(round(used['cpu_held_s'])))}",
        f"Job Wall-clock time: {duration(int(used['wall_s']))}",
        f"Memory Utilized: {_size(used['memory_utilized'])}",
        f"Memory Efficiency: {_percent(used['memory_efficiency'])} of {_size(used['memory_held'])}",
    ]
    if deaths := used["memory_deaths"]:
        lines.append(f"WARNING: {deaths} {'process was' if deaths == 1 else 'processes were'} killed: out of memory")
    if used["exit_code"] is None:
        lines.append("WARNING: it has not ended: what it has used so far is known only when it has.")
    return "\n".join(lines)


def _elements(used: dict[str, Any]) -> str:
    return f" ({used['elements']} elements)" if used["elements"] > 1 else ""


def _states(used: dict[str, Any]) -> str:
    """``Completed (exit code 0)``, ``Completed 8, Failed 2 (exit code 1)``."""
    code = used["exit_code"]
    shown = used["status"] or ", ".join(f"{state} {count}" for state, count in sorted(used["states"].items()))
    if code is None:
        return shown
    said = f"exit code {code}" if code < 256 else f"signal {code - 256}" if code < 320 else f"code {code}"
    return f"{shown} ({said})"


def _efficiency(used: dict[str, Any], held: str) -> str:
    if used["cpu_efficiency"] is None:
        return f"too short a run to tell: less than {_SHORTEST_S:g} s of core-walltime"
    return f"{_percent(used['cpu_efficiency'])} of {held} core-walltime"


def _percent(part: float | None) -> str:
    return "0.00%" if part is None else f"{100 * part:.2f}%"


def _size(size: int) -> str:
    """Memory in the unit that suits it."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}"
    return f"{size} B"


if __name__ == "__main__":
    import sys

    sys.exit(main())
