"""Waiting for jobs as a command does: one connection that stays open, and an exit code at the end."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_SIGNAL_BASE = 256
_SHELL_SIGNAL = 128
_MINUTE, _HOUR = 60, 3600


def wait(prog: str, ids: Sequence[int]) -> int:
    """Block until all have ended, and say on stderr what did not complete; the highest exit code, a signal as 128 + its
    number."""
    from cli.common.wait_report import tell_failed

    codes = follow_to_end(prog, ids)
    tell_failed(prog, codes)
    return max(map(exit_code, codes.values()))


def follow_to_end(prog: str, ids: Sequence[int | str], label: str = "waiting") -> dict[str, int]:
    """Block until all have ended; their stored codes. On a terminal how they stand is shown under ``label`` ("" = not
    at all), and after Ctrl-C what goes on."""
    if not sys.stderr.isatty():
        return _follow(ids, lambda _counts: None)
    from cli.common.wait_report import Standing, tell_interrupted

    standing, pace = Standing(ids, label), Pace(time.monotonic)

    def show(counts: dict[str, Any]) -> None:
        if label:
            standing.count(counts["ended"], counts["total"], pace.note(**counts))

    try:
        return _follow(ids, show)
    except KeyboardInterrupt:
        standing.close()
        tell_interrupted(prog, ids)
        raise
    finally:
        standing.close()


def _follow(ids: Sequence[int | str], show: Callable[[dict[str, Any]], None]) -> dict[str, int]:
    from crane_celery.gateway.client import follow

    codes: dict[str, int] = follow("wait", {"ids": list(ids)}, show)["codes"]
    return codes


class Pace:
    """Record of what a progress bar says beside the bar: how many are where, ends a second, and how long the rest
    will take."""

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
