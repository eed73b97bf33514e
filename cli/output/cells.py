"""Define what listings of jobs can show, and the cells of times, sizes and node lists that all commands share.

Rows come from the gateway (crane_celery/history/rows.py lists their keys).
"""

from __future__ import annotations

import time

from crane_celery.errors import InputError
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.hostlist import compress
from crane_celery.grammar.memory import format_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_EARLIEST = 315532800.0  # 1980


def duration(seconds: int | None) -> str:
    """``HH:MM:SS``, ``unlimited`` for None."""
    return format_duration(seconds)


def when(at: float | None) -> str:
    """``YYYY-MM-DD HH:MM:SS`` in the local zone, ``unknown`` for none."""
    if not at or at < _EARLIEST:
        return "unknown"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def elapsed(row: Mapping[str, Any]) -> str:
    """Return how long it ran, up to now if it still does, less the time in which it was suspended; ``-``: it never
    began."""
    return "-" if row["elapsed"] is None else duration(int(row["elapsed"]))


def hosts(names: list[str]) -> str:
    """A folded node list; one with a name that is none is listed as it is."""
    try:
        return compress(names) if len(names) > 1 else "".join(names)
    except InputError:
        return ",".join(names)


def hosts_or_none(names: list[str]) -> str:
    """A folded node list, ``None`` when empty."""
    return hosts(names) or "None"


def where_or_why(row: Mapping[str, Any]) -> str:
    """The nodes of what runs, the reason of what waits."""
    return str(row["reason"]) if row["state"] == "Pending" else hosts(row["nodelist"])


def cpus(number: float) -> str:
    """CPUs without needless decimals."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def memory(size: int) -> str:
    """Memory in MB."""
    return format_memory(size)


def yes(flag: object) -> str:
    """``True`` or ``False``."""
    return "True" if flag else "False"


def gres(found: Mapping[str, Any]) -> str:
    """``gpu:a100:2,fpga:1``, ``None`` for none."""
    return ",".join(f"{name}:{count}" for name, count in sorted(found.items()) if count) or "None"


def exit_code(row: Mapping[str, Any]) -> str:
    """``code:signal``, as crane_celery.model.states.show_code has it."""
    code: int = row["code"]
    return f"{code}:0" if code < 256 else f"0:{code - 256}"


def array_spec(row: Mapping[str, Any]) -> str:
    """The indexes asked for, with the limit on how many run at once: ``0-9:2%3``."""
    return f"{row['array']}%{row['throttle']}" if row["throttle"] else str(row["array"])
