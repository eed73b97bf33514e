"""Line charts as SVG or PNG, by the standard library alone (PNG specification, W3C, second edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, GAP = 70, 20, 50
#: columns of a curve
COLUMNS = WIDTH - LEFT - RIGHT
_PANEL = (HEIGHT - 3 * GAP) // 2
_COLOURS = ("#1f4e9d", "#c8501e", "#2e8b57", "#7a3f9d")
_INK, _GRID = "#333333", "#dddddd"
_SCALE = 2  # of a letter's 3 x 5 dots, in the PNG
#: rows of three dots from the top, five octal digits a letter
_FONT = (
    "75557262277174771717557117471774757711117575775717"  # 0-9
    "0357746556034431355302743346440353646555202221011645655622270577506555025520656403531056440361627223055570555205572"
    "052550553407247"  # a-z
    "000025124500024020200070011244"  # . % , : - /
)
_LETTERS = {
    letter: _FONT[5 * at : 5 * at + 5] for at, letter in enumerate("0123456789abcdefghijklmnopqrstuvwxyz.%,:-/")
}


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
    """What is to be drawn: two panels, one above the other; ``across`` says what the time axis spans."""
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


class _Canvas:
    """Pixels, three bytes each, the first row on top."""

    def __init__(self) -> None:
        self._rows = [bytearray(b"\xff" * (3 * WIDTH)) for _ in range(HEIGHT)]

    def dot(self, x: int, y: int, colour: bytes) -> None:
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            self._rows[y][3 * x : 3 * x + 3] = colour

    def line(self, mark: Line) -> None:
        colour = bytes.fromhex(mark.colour[1:])
        for (x, y), (to_x, to_y) in zip(mark.points, mark.points[1:], strict=False):
            steps = max(abs(to_x - x), abs(to_y - y), 1)
            for step in range(steps + 1):
                self.dot(x + (to_x - x) * step // steps, y + (to_y - y) * step // steps, colour)

    def text(self, mark: Text) -> None:
        left = mark.x - (4 * _SCALE * len(mark.words) if mark.to_left else 0)
        for number, letter in enumerate(mark.words.lower()):
            for dot in _dots(_LETTERS.get(letter, "00000")):
                x, y = left + 4 * _SCALE * number + dot[0], mark.y - 5 * _SCALE + dot[1]
                self.dot(x, y, bytes.fromhex(mark.colour[1:]))

    def png(self) -> bytes:
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)  # true colour, 8 bits, no filter
        pixels = zlib.compress(b"".join(b"\0" + row for row in self._rows))
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _dots(rows: str) -> list[tuple[int, int]]:
    """The pixels of a letter."""
    wide, high = range(3 * _SCALE), range(5 * _SCALE)
    return [(x, y) for y in high for x in wide if int(rows[y // _SCALE], 8) >> (2 - x // _SCALE) & 1]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(drawn: Sequence[Mark]) -> bytes:
    """The picture as PNG."""
    canvas = _Canvas()
    for mark in drawn:
        canvas.text(mark) if isinstance(mark, Text) else canvas.line(mark)
    return canvas.png()
