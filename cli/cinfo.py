"""cinfo: partitions and the state of their nodes (reference/cranesched.md section 1.7)."""

from __future__ import annotations

from cli.common.iterate import add_iterate, repeated
from cli.common.main import run
from cli.common.options import Formats, Parser, add_output_options, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from cli.output.render import Column

DEFAULT = "%p %a %n %s %l"
_STATES = ("idle", "mix", "alloc", "down", "drain")
#: Slurm's words for them
_OTHER_WORDS = {"mixed": "mix", "allocated": "alloc", "drained": "drain", "draining": "drain"}


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return run("cinfo", body, argv)


def parser() -> Parser:
    """The options."""
    made = Parser(
        "cinfo",
        "Show partitions and the state of their nodes.",
        epilog="examples:\n  cinfo -p main\n  cinfo -N\n  cinfo -t idle,mix -o '%p %n %l'\n  cinfo --list-reasons\n",
    )
    add = made.add_argument
    which = made.add_mutually_exclusive_group()
    which.add_argument("-d", "--dead", action="store_true", help="only nodes that are down")
    which.add_argument("-r", "--responding", action="store_true", help="only nodes that answer")
    which.add_argument("-t", "--states", metavar="LIST", help=f"only nodes in these states: {' '.join(_STATES)}")
    add("-p", "--partition", metavar="LIST", help="only these partitions")
    add("-n", "--nodes", metavar="HOSTS", help="only these nodes")
    add("-R", "--list-reasons", action="store_true", help="only down and drained nodes, with the reason")
    add("-N", "--node", action="store_true", help="a line for each node: its CPUs, memory, generic resources and load")
    add_output_options(made, formats, full=False, short="")
    add_iterate(made)
    add("--watch", action="store_true", help="show it again whenever it changes, until Ctrl-C")
    return made


def formats() -> dict[str, Formats]:
    """Return what ``-o`` can show: of partitions, and of nodes."""
    from cli.output import node_columns

    return {"": Formats(DEFAULT, columns()), "--node": Formats(node_columns.DEFAULT, node_columns.columns())}


def body(argv: list[str]) -> int:
    """Parse, ask, print."""
    options = parser().parse(argv)
    from crane_celery.gateway.client import call

    if options.watch:
        from cli.common.watch import watched

        return watched(lambda ask: _show(options, ask))
    return repeated(options.iterate, lambda: _show(options, call))


def _show(options: argparse.Namespace, ask: Callable[[str, dict[str, Any]], Any]) -> int:
    from cli.output.render import parse_format, print_json, print_lines
    from cli.output.table import lines

    default, known = formats()["--node" if options.node else ""]
    if options.list_reasons:
        default = f"{default} %reason"
    fields = parse_format(options.format or default, known, dot_right=False)
    wanted = states(options)
    found = ask("nodes", {})
    rows = (single if options.node else grouped)(found, options, wanted)
    if options.json:
        print_json({"ok": True, f"{'node' if options.node else 'partition'}_info_list": rows})
        return 0
    print_lines(lines(fields, rows, not options.noheader))
    return 0


def states(options: argparse.Namespace) -> list[str]:
    """The states asked for. Raises InputError for an unknown one."""
    from crane_celery.errors import InputError
    from crane_celery.grammar.names import did_you_mean

    if options.list_reasons:
        return ["down", "drain"]
    if options.dead:
        return ["down"]
    if options.responding:
        return ["idle", "mix", "alloc"]
    wanted = [_OTHER_WORDS.get(each.lower(), each.lower()) for each in split_list(options.states)]
    for each in wanted:
        if each.removesuffix("(drain)") not in _STATES:
            raise InputError(f"unknown node state {each!r}{did_you_mean(each, _STATES) or ': ' + ' '.join(_STATES)}")
    return wanted


def grouped(found: dict[str, Any], options: argparse.Namespace, wanted: list[str]) -> list[dict[str, Any]]:
    """A row for each partition and state; a partition without a matching node has one with 0 nodes."""
    from crane_celery.grammar.hostlist import expand

    partitions = split_list(options.partition)
    only = set(expand(options.nodes)) if options.nodes else None
    rows = []
    for partition in found["partitions"]:
        if partitions and partition["name"] not in partitions:
            continue
        groups: dict[tuple[str, str], list[str]] = {}
        for node in found["nodes"]:
            if partition["name"] in node["partitions"] and _passes(node, only, wanted):
                key = (node["shown"], node["reason"] if options.list_reasons else "")
                groups.setdefault(key, []).append(node["name"])
        for (state, reason), names in sorted(groups.items()) or [(("n/a", ""), [])]:
            rows.append(_row(partition, state, reason, names))
    return rows


def single(found: dict[str, Any], options: argparse.Namespace, wanted: list[str]) -> list[dict[str, Any]]:
    """A row for each node that passes."""
    from crane_celery.grammar.hostlist import expand

    only = set(expand(options.nodes)) if options.nodes else None
    partitions = set(split_list(options.partition))
    by_name = {each["name"]: each for each in found["partitions"]}
    rows = []
    for node in found["nodes"]:
        if _passes(node, only, wanted) and not (partitions and partitions.isdisjoint(node["partitions"])):
            shown = [f"{name}{'*' if by_name[name]['default'] else ''}" for name in node["partitions"]]
            avail = any(by_name[name]["up"] for name in node["partitions"])
            rows.append({**node, "partition": ",".join(shown), "avail": "up" if avail else "down"})
    return rows


def _passes(node: dict[str, Any], only: set[str] | None, wanted: list[str]) -> bool:
    if only is not None and node["name"] not in only:
        return False
    state, drained = node["state"], node["drained"]
    return not wanted or bool({state, node["shown"], *(["drain"] if drained else [])} & set(wanted))


def _row(partition: dict[str, Any], state: str, reason: str, names: list[str]) -> dict[str, Any]:
    return {
        "partition": partition["name"] + ("*" if partition["default"] else ""),
        "avail": "up" if partition["up"] else "down",
        "nodes": len(names),
        "state": state,
        "nodelist": names,
        "reason": reason,
    }


def columns() -> dict[str, Column]:
    """The columns by the names of a format."""
    from cli.output.cells import hosts
    from cli.output.render import Column, by_header

    return by_header({
        "p": Column("PARTITION", lambda row: row["partition"]),
        "a": Column("AVAIL", lambda row: row["avail"]),
        "n": Column("NODES", lambda row: str(row["nodes"])),
        "s": Column("STATE", lambda row: row["state"]),
        "l": Column("NODELIST", lambda row: hosts(row["nodelist"])),
        "reason": Column("REASON", lambda row: row["reason"]),
    })  # fmt: skip


if __name__ == "__main__":
    import sys

    sys.exit(main())
