"""What ``ccontrol explain`` and ``ccontrol story`` print. Pure."""

from __future__ import annotations

from cli._brief import brief
from cli._columns import when
from crane_celery.grammar.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def explain(found: Sequence[dict[str, Any]]) -> str:
    """Of each job ``{"jobid", "lines": [text, ...]}``: why it waits."""
    return "\n\n".join("\n\t".join([f"JobId={brief(each['jobid'])}", *map(visible, each["lines"])]) for each in found)


def story(found: Sequence[dict[str, Any]]) -> str:
    """Of each job ``{"jobid", "events": [[server time, text], ...]}``: what has happened to it."""
    return "\n\n".join(
        "\n".join([f"JobId={brief(each['jobid'])}", *(f"{when(at)}  {visible(text)}" for at, text in each["events"])])
        for each in found
    )
