"""Waiting for jobs as a command does: one connection that stays open, and an exit code at the end."""

from __future__ import annotations

from cli._progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SIGNAL_BASE = 256
_SHELL_SIGNAL = 128


def wait(ids: Sequence[int], label: str = "waiting") -> int:
    """Block until all have ended; the highest exit code, a signal as 128 + its number."""
    from crane_celery.gateway.client import follow

    bar = Progress(label)

    def show(counts: dict[str, Any]) -> None:
        if counts["total"] > 1:
            bar.show(counts["ended"], counts["total"], counts["ended"] - counts["ok"])

    try:
        value = follow("wait", {"ids": list(ids)}, show)
    finally:
        bar.close()
    return max(exit_code(code) for code in value["codes"].values())


def exit_code(stored: int) -> int:
    """A stored code as a shell shows it."""
    return stored if stored < _SIGNAL_BASE else min(_SHELL_SIGNAL + stored - _SIGNAL_BASE, 255)
