"""A scatter plot as a PNG, by the standard library alone (PNG specification, W3C, second edition)."""

import struct
import zlib
from collections.abc import Iterable
from math import log10

WIDTH, HEIGHT, MARGIN = 640, 480, 40
_PAPER, _INK, _GRID = b"\xff\xff\xff", b"\x1f\x4e\x9d", b"\xdd\xdd\xdd"


class Canvas:
    """Pixels, three bytes each, the first row on top."""

    def __init__(self) -> None:
        """An empty page."""
        self._rows = [bytearray(_PAPER * WIDTH) for _ in range(HEIGHT)]

    def dot(self, x: int, y: int, colour: bytes, size: int = 1) -> None:
        """A square around a point; what lies outside the page is left out."""
        for row in range(max(0, y - size), min(HEIGHT, y + size + 1)):
            for column in range(max(0, x - size), min(WIDTH, x + size + 1)):
                self._rows[row][3 * column : 3 * column + 3] = colour

    def png(self) -> bytes:
        """The page as a PNG file: true colour, 8 bits, no filter."""
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + row for row in self._rows))
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scatter(points: Iterable[tuple[int, int]], decades: int = 4) -> bytes:
    """Both axes logarithmic, from 1 to 10^``decades``, a grid line at each power of ten; the picture as PNG."""
    canvas = Canvas()
    across, up = (WIDTH - 2 * MARGIN) / decades, (HEIGHT - 2 * MARGIN) / decades
    for power in range(decades + 1):
        for x in range(MARGIN, WIDTH - MARGIN):
            canvas.dot(x, HEIGHT - MARGIN - round(power * up), _GRID, 0)
        for y in range(MARGIN, HEIGHT - MARGIN):
            canvas.dot(MARGIN + round(power * across), y, _GRID, 0)
    for x, y in points:
        place = MARGIN + round(log10(max(1, x)) * across), HEIGHT - MARGIN - round(log10(max(1, y)) * up)
        canvas.dot(*place, _INK)
    return canvas.png()
