"""The tables of states and codes as Lua: a script decides by what lifecycle and model say, and by nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crane_celery.lifecycle.machine import Cause, may
from crane_celery.lifecycle.requeue import NEVER_BY_POLICY, NODE_CODES
from crane_celery.model.states import LOST, WORST, State

#: MAY_BEGIN, MAY_SUSPEND, MAY_RESUME, MAY_END: states of a run in which that can happen to it. WORSE: rank of an ended
#: state, higher for a worse one. NEVER_BY_POLICY, NODE_CODES: lifecycle.requeue. LOST: model.states.
_TABLES = {f"MAY_{cause.upper()}": [f"{state} = true" for state in State if may(state, cause)] for cause in Cause} | {
    "WORSE": [f"{state} = {rank}" for rank, state in enumerate(reversed(WORST), 1)],
    "NEVER_BY_POLICY": [f"{state} = true" for state in sorted(NEVER_BY_POLICY)],
    "NODE_CODES": [f"[{code}] = true" for code in sorted(NODE_CODES)],
    "LOST": [f"[{code}] = true" for code in sorted(LOST)],
}


def tables(source: str) -> str:
    """Return definitions of the tables that ``source`` uses, a line each: ``MAY_END[state]``, ``WORSE[state]``."""
    return "\n".join(_line(name) for name in _used(source))


def _used(source: str) -> Iterable[str]:
    words = set(re.findall(r"\b[A-Z_]+\b", source))
    return (name for name in _TABLES if name in words)


def _line(name: str) -> str:
    return f"local {name} = {{ {', '.join(_TABLES[name])} }}"
