"""Define what users have used lately: CPU seconds, each halved after a half-life. Pure; exact however often it is
asked.

A use counts from the end of its run. The leader starts from what the history knows and keeps it current itself.
"""

from __future__ import annotations

from collections.abc import Mapping


class Usage:
    """Decaying sums by uid."""

    def __init__(self, half_life_s: float, known: Mapping[int, float] | None = None, at: float = 0.0) -> None:
        """``known``: the sums at server time ``at``. A half-life of 0: nothing is forgotten."""
        self._half_life_s = half_life_s
        self._sums = {uid: (value, at) for uid, value in (known or {}).items()}

    def add(self, uid: int, cpu_s: float, at: float) -> None:
        """A user used so much, until then."""
        value, since = self._sums.get(uid, (0.0, at))
        latest = max(at, since)
        self._sums[uid] = (value * self._decay(latest - since) + cpu_s * self._decay(latest - at), latest)

    def now(self, at: float) -> dict[int, float]:
        """The sums at server time ``at``."""
        return {uid: value * self._decay(at - since) for uid, (value, since) in self._sums.items()}

    def _decay(self, seconds: float) -> float:
        return 2.0 ** (-max(0.0, seconds) / self._half_life_s) if self._half_life_s > 0 else 1.0
