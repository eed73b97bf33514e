"""Define how long a process that died waits before it is started again."""

FIRST_S = 0.1
LONGEST_S = 5.0
#: after so long alive, a death counts as a first one
STEADY_S = 10.0


def pause(last_s: float, lived_s: float) -> float:
    """Seconds to wait after a life of ``lived_s``; ``last_s`` is the pause before it, 0 when it was the first start."""
    return FIRST_S if not last_s or lived_s >= STEADY_S else min(last_s * 2, LONGEST_S)
