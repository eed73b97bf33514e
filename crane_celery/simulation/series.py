"""Utilisation and queue over time, in as many equal pieces as a picture has columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from crane_celery.simulation.replay import Sample


class Series(NamedTuple):
    """One value a column."""

    busy: list[float]  # CPUs at work, mean over the column
    waiting: list[float]  # jobs that wait, the most in the column


def series(samples: Sequence[Sample], end: float, columns: int) -> Series:
    """Lay the samples over ``columns`` equal pieces of the time from 0 to ``end``."""
    width = end / columns or 1.0
    found = Series([0.0] * columns, [0.0] * columns)
    for sample, until in zip(samples, [*(each.at for each in samples[1:]), end], strict=True):
        at = sample.at
        column = min(int(at / width), columns - 1)
        while column < columns:
            stop = min(until, (column + 1) * width) if column < columns - 1 else until
            found.busy[column] += sample.busy * max(stop - at, 0.0) / width
            found.waiting[column] = max(found.waiting[column], sample.waiting)
            at = stop
            if until <= (column + 1) * width:
                break
            column += 1
    return found
