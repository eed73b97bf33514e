"""Waiting for jobs as a command does: one connection that stays open, and an exit code at the end."""

from __future__ import annotations

import time

from cli._progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_SIGNAL_BASE = 256
_SHELL_SIGNAL = 128
_MINUTE, _HOUR = 60, 3600


def wait(ids: Sequence[int], label: str = "waiting") -> int:
    """Block until all have ended; the highest exit code, a signal as 128 + its number."""
    return max(map(exit_code, follow_to_end(ids, label).values()))


def follow_to_end(ids: Sequence[int | str], label: str) -> dict[str, int]:
    """Block until all have ended, showing how far they are under ``label`` ("" = not at all); their stored codes."""
    from crane_celery.gateway.client import follow

    bar, pace = Progress(label), Pace(time.monotonic)

    def show(counts: dict[str, Any]) -> None:
        if label and counts["total"] > 1:
            bar.show(counts["ended"], counts["total"], pace.note(**counts))

    try:
        codes: dict[str, int] = follow("wait", {"ids": list(ids)}, show)["codes"]
    finally:
        bar.close()
    return codes


class Pace:
    """What a progress bar says beside the bar: how many are where, ends a second, and how long the rest will take."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """The first ``note`` starts the clock."""
        self._clock = clock
        self._since: tuple[float, int] | None = None

    def note(self, total: int, pending: int, ended: int, ok: int) -> str:
        """``4 pending, 2 running, 2 ok, 1 failed, 1.5/s, 4 s left``."""
        now = self._clock()
        since, before = self._since = self._since or (now, ended)
        parts = [f"{pending} pending", f"{max(0, total - pending - ended)} running", f"{ok} ok", f"{ended - ok} failed"]
        if ended > before and now > since:
            rate = (ended - before) / (now - since)
            parts.append(f"{rate:.1f}/s")
            if ended < total:
                parts.append(f"{_rough((total - ended) / rate)} left")
        return ", ".join(parts)


def _rough(seconds: float) -> str:
    """A time as one number."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.0f} h"


def exit_code(stored: int) -> int:
    """A stored code as a shell shows it."""
    return stored if stored < _SIGNAL_BASE else min(_SHELL_SIGNAL + stored - _SIGNAL_BASE, 255)
