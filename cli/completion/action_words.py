"""Completion of ``ccontrol``: actions, what they show, ids, keys and their values."""

from __future__ import annotations

from cli.common.control_actions import ACTIONS, JOB_KEYS, NODE_KEYS, SHOWN, STATES_OF_NODES
from cli.completion.candidates import Found, matching, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: what is named behind ``show WHAT``
_NAMED = {"job": "ids", "step": "ids", "dependents": "ids", "node": "nodes", "partition": "partitions"}
#: what the value of a key is
_VALUES = {
    "jobid": "ids",
    "nodename": "nodes",
    "nodelist": "nodes",
    "excludenodelist": "nodes",
    "partition": "partitions",
    "dependency": "dependencies",
    **dict.fromkeys(("exclusive", "requeue", "killoninvaliddep"), "answers"),
}
#: written as they are, without ids or keys
_INCOMPLETE = ("incomplete", "only what ended without completing")
_LISTS_OF_HOSTS = ("hostnames", "hostlist", "hostlistsorted")


def following(words: Sequence[str], current: str) -> Found:
    """Return what may stand behind these words of ``ccontrol``."""
    if not words:
        return matching(current, [*_named(), ("help", "what an action takes")])
    action, rest = words[0].lower(), words[1:]
    if action == "help":
        return matching(current, _named())
    if action == "show":
        return _shown(rest, current)
    if action == "update":
        return _update(rest, current)
    again = action in ("requeue", "requeuehold")
    if again and not rest and current.isalpha():
        return matching(current, [_INCOMPLETE])
    if again and rest and current.startswith("-"):
        return matching(current, [("--running", "what is at work too")])
    found = values("ids", current)
    if again and not rest and not current:
        found.words.append(_INCOMPLETE)
    if action == "hold" and rest:
        found.words += matching(current, [("timelimit=", "for how long")]).words
    return found


def _named() -> list[tuple[str, str]]:
    """Return the actions, each with its first sentence."""
    return [(name, action.what.partition(". ")[0]) for name, action in ACTIONS.items()]


def _shown(rest: Sequence[str], current: str) -> Found:
    if not rest:
        return matching(current, SHOWN.items())
    kind = "nodes" if rest[0].lower() in _LISTS_OF_HOSTS else _NAMED.get(rest[0].lower(), "")
    return values(kind, current)


def _update(rest: Sequence[str], current: str) -> Found:
    key, equals, value = current.partition("=")
    if equals:
        name = key.lower().rstrip("+-")
        choices = STATES_OF_NODES if name == "state" else None
        found = values(_VALUES.get(name, ""), value, choices)
        return Found(found.kind, [(f"{key}={text}", what) for text, what in found.words])
    named = {word.partition("=")[0].lower() for word in rest}
    if not named & {"jobid", "nodename"}:
        return matching(current, [("jobid=", "jobs, arrays or elements"), ("nodename=", "nodes")])
    keys = NODE_KEYS if "nodename" in named else JOB_KEYS
    return matching(current, [(f"{name}=", what) for name, what in keys.items() if name not in named])
