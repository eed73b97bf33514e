"""The picture of a simulation as PNG or PDF, by matplotlib, which is an extra: SVG needs nothing."""

from __future__ import annotations

import io
from importlib import import_module

from crane_celery.errors import InputError
from crane_celery.simulation.picture import HEIGHT, WIDTH, Mark, Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_DOTS = 100  # of the picture's measures, an inch


#: endings of files that matplotlib draws
ENDINGS = (".png", ".pdf")


def drawer(path: str, ending: str) -> Callable[[Sequence[Mark]], bytes]:
    """Return what draws a file with one of ``ENDINGS``. Raises InputError where matplotlib is not installed."""
    kind = ending[1:]
    try:
        figures = import_module("matplotlib.figure")
    except ImportError:
        raise InputError(
            f"--plot {path!r}: {kind.upper()} is drawn by matplotlib, which is not here:"
            " pip install 'crane-celery[plots]', or write FILE.svg, which needs nothing"
        ) from None
    return lambda drawn: _drawn(figures.Figure(figsize=(WIDTH / _DOTS, HEIGHT / _DOTS), dpi=_DOTS), drawn, kind)


def _drawn(figure: Any, drawn: Sequence[Mark], kind: str) -> bytes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    for mark in drawn:
        if isinstance(mark, Text):
            axes.text(mark.x, mark.y, mark.words, color=mark.colour, fontsize=9, ha="right" if mark.to_left else "left")
        else:
            axes.plot(*zip(*mark.points, strict=True), color=mark.colour, linewidth=0.8)
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()
