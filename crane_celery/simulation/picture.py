"""Line charts: what is to be drawn where, and the same as SVG, by the standard library alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, GAP = 70, 20, 50
#: columns of a curve
COLUMNS = WIDTH - LEFT - RIGHT
_PANEL = (HEIGHT - 3 * GAP) // 2
_COLOURS = ("#1f4e9d", "#c8501e", "#2e8b57", "#7a3f9d")
_INK, _GRID = "#333333", "#dddddd"


class Curve(NamedTuple):
    """One line of a panel: a value for each column."""

    label: str
    values: Sequence[float]


class Panel(NamedTuple):
    """One chart, from 0 to ``top``."""

    title: str
    top: float
    unit: str  # behind the numbers of the scale
    curves: Sequence[Curve]


class Text(NamedTuple):
    """A word, its left end (or its right one) on the base line."""

    x: int
    y: int
    words: str
    colour: str
    to_left: bool = False


class Line(NamedTuple):
    """Points joined."""

    points: Sequence[tuple[int, int]]
    colour: str


Mark = Text | Line


def marks(panels: Sequence[Panel], across: str) -> list[Mark]:
    """Return what is to be drawn: two panels, one above the other; ``across`` says what the time axis spans."""
    found: list[Mark] = [Text(WIDTH - RIGHT, HEIGHT - GAP // 3, across, _INK, True)]
    for number, panel in enumerate(panels):
        found += _panel(panel, GAP + number * (_PANEL + GAP))
    return found


def _panel(panel: Panel, above: int) -> list[Mark]:
    below, top = above + _PANEL, panel.top or 1.0
    found: list[Mark] = [Text(LEFT, above - 8, panel.title, _INK)]
    for quarter in range(5):
        y = below - _PANEL * quarter // 4
        found.append(Line([(LEFT, y), (WIDTH - RIGHT, y)], _GRID))
        found.append(Text(LEFT - 8, y + 5, f"{top * quarter / 4:.{0 if top >= 10 else 2}f}{panel.unit}", _INK, True))
    for number, curve in enumerate(panel.curves):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [(LEFT + x, below - round(min(value / top, 1.0) * _PANEL)) for x, value in enumerate(curve.values)]
        found.append(Line(points, colour))
        found.append(Text(WIDTH - RIGHT - 110 * (len(panel.curves) - 1 - number), above - 8, curve.label, colour, True))
    return found


def svg(drawn: Sequence[Mark]) -> bytes:
    """The picture as SVG."""
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">']
    lines.append('<rect width="100%" height="100%" fill="white"/>')
    for mark in drawn:
        if isinstance(mark, Text):
            anchor = "end" if mark.to_left else "start"
            place = f'x="{mark.x}" y="{mark.y}" text-anchor="{anchor}" fill="{mark.colour}"'
            lines.append(f'<text {place} font-size="13">{mark.words}</text>')
        else:
            points = " ".join(f"{x},{y}" for x, y in mark.points)
            lines.append(f'<polyline points="{points}" fill="none" stroke="{mark.colour}"/>')
    return "\n".join([*lines, "</svg>", ""]).encode()
