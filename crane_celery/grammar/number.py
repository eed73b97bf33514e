"""Numbers with a fraction: read within bounds, and as variables show them."""

from __future__ import annotations


def plain(value: float) -> str:
    """Without decimals where it is whole, since a shell's arithmetic knows no others; else with two of them."""
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def real(text: str, low: float, high: float) -> float | None:
    """Return the number that a text says, or None where it says none, such as ``nan``, or one out of these bounds."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if low <= number <= high else None
