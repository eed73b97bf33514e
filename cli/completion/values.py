"""Values for completion: fixed words, and what the cluster has, asked of the gateway in one short question."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Pairs = Iterator[tuple[str, str]]

#: jobs offered at most: more would fill the screen
_MOST = 200
_FIXED = {
    "exports": ("ALL", "NONE", "NIL"),
    "modes": ("append", "truncate"),
    "answers": ("yes", "no"),
    "signals": ("TERM", "KILL", "INT", "HUP", "USR1", "USR2", "STOP", "CONT", "QUIT"),
}


def of(kind: str, current: str = "") -> list[tuple[str, str]]:
    """Return the values of a kind, each with what it means. Raises CraneError when the cluster does not answer."""
    if kind in _FIXED:
        return [(word, "") for word in _FIXED[kind]]
    asked: dict[str, Callable[[str], Pairs]] = {
        "ids": _ids,
        "nodes": _nodes,
        "names of nodes": _nodes,
        "partitions": _partitions,
        "states": _states,
        "node states": _node_states,
        "kinds": _kinds,
        "dependencies": _dependencies,
    }
    return list(asked[kind](current)) if kind in asked else []


def _ask(verb: str, **args: object) -> Any:
    from crane_celery.gateway.client import call

    return call(verb, args)


def _ids(_current: str) -> Pairs:
    """The caller's live jobs; of an array that waits, the array."""
    import os

    only = {} if os.geteuid() == 0 else {"self": True}
    table = _ask("jobs", columns=["jobid", "name", "state"], limit=_MOST, **only)
    same, each = table["same"], table["each"]
    for at in range(table["count"]):
        row = {**same, **{name: column[at] for name, column in each.items()}}
        yield row["jobid"].partition("_[")[0], f"{row['name']} {row['state']}"


def _nodes(_current: str) -> Pairs:
    for node in _ask("nodes")["nodes"]:
        yield node["name"], node["shown"]


def _partitions(_current: str) -> Pairs:
    for partition in _ask("nodes")["partitions"]:
        yield partition["name"], f"{partition['total_nodes']} nodes, {partition['avail_cpus']:g} CPUs free"


def _states(_current: str) -> Pairs:
    from crane_celery.model.states import State

    yield "all", "whatever their state"
    for state in State:
        yield state.value.lower(), ""


def _node_states(_current: str) -> Pairs:
    from cli.cinfo import _STATES

    for state in _STATES:
        yield state, ""


def _kinds(_current: str) -> Pairs:
    from crane_celery.service.query.filters import KINDS

    for kind in KINDS:
        yield kind, ""


def _dependencies(current: str) -> Pairs:
    """Types, then ids behind a colon; what stands before is kept."""
    from crane_celery.grammar.dependency import KINDS

    head, last = current, ""
    for mark in (",", "?"):
        start, found, rest = current.rpartition(mark)
        if found and len(rest) < len(head):
            head, last = rest, start + found
    if ":" in head:
        kind, colon, _ = head.rpartition(":")
        for text, what in _ids(""):
            yield f"{last}{kind}{colon}{text}", what
    else:
        for kind in KINDS:
            yield f"{last}{kind}{'' if kind == 'singleton' else ':'}", ""
