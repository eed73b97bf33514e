"""Define what ``ccontrol explain`` and ``ccontrol story`` print. Pure."""

from __future__ import annotations

from cli.output.cells import when
from cli.output.id_text import brief
from crane_celery.grammar.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any


def explain(found: Sequence[dict[str, Any]]) -> str:
    """Of each job ``{"jobid", "lines": [text, ...], "started": [...]}``: why it waits, or how it ended."""
    return "\n\n".join("\n".join(_explained(each)) for each in found)


def _explained(told: dict[str, Any]) -> Iterator[str]:
    from cli.output.last_lines import shown

    yield f"JobId={brief(told['jobid'])}"
    yield from (f"\t{visible(line)}" for line in told["lines"])
    for row in told.get("started", ()):
        first, *rest = row["lines"]
        yield f"\t{visible(first)}"
        yield from (f"\t\t{line}" for line in (*map(visible, rest), *shown(row)))


def story(found: Sequence[dict[str, Any]]) -> str:
    """Of each job ``{"jobid", "events": [[server time, text], ...]}``: what has happened to it."""
    return "\n\n".join(
        "\n".join([f"JobId={brief(each['jobid'])}", *(f"{when(at)}  {visible(text)}" for at, text in each["events"])])
        for each in found
    )
