"""The columns of ``cinfo --node``, a line for each node, by the names of a format."""

from __future__ import annotations

from cli.output import cells as cell
from cli.output.render import Column, by_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT = "%l %p %s %c %m %g %o"


def columns() -> dict[str, Column]:
    """The columns by the names of a format."""
    made = {
        "l": Column("NODE", lambda row: str(row["name"]), whole=True),
        "p": Column("PARTITION", lambda row: row["partition"] or "None"),
        "a": Column("AVAIL", lambda row: str(row["avail"])),
        "n": Column("NODES", lambda _row: "1"),
        "s": Column("STATE", lambda row: str(row["shown"])),
        "c": Column("CPUS(USED/FREE/ALL)", lambda row: "/".join(cell.cpus(each) for each in _shares(row, "cpus"))),
        "m": Column("MEM(USED/FREE/ALL)", lambda row: "/".join(cell.memory(each) for each in _shares(row, "memory"))),
        "g": Column("GRES(USED/ALL)", _gres),
        "o": Column("LOAD", lambda row: "-" if row["load"] is None else f"{row['load']:.2f}"),
        "reason": Column("REASON", lambda row: str(row["reason"])),
    }
    words = {"node": "l", "cpus": "c", "memory": "m", "gres": "g", "load": "o"}
    return by_header({**made, **{word: made[letter] for word, letter in words.items()}})


def _shares(row: Mapping[str, Any], what: str) -> tuple[Any, Any, Any]:
    """Used, free and all of it; of a node that is down nothing is free."""
    free = 0 if row["state"] == "down" else row[f"free_{what}"]
    return row[f"alloc_{what}"], free, row[what]


def _gres(row: Mapping[str, Any]) -> str:
    """``gpu:a100:1/2,fpga:0/1``."""
    used = row["alloc_gres"]
    return ",".join(f"{name}:{used.get(name, 0)}/{count}" for name, count in sorted(row["gres"].items())) or "None"
