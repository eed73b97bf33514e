"""Numbers of CPUs and of memory as variables show them."""

from __future__ import annotations


def plain(value: float) -> str:
    """Without decimals where it is whole, since a shell's arithmetic knows no others; else with two of them."""
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"
