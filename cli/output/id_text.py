"""Ids in sentences. Pure."""

from __future__ import annotations

#: characters of an id in a sentence
LONG = 200


def brief(shown: str) -> str:
    """An id as told: of a long list of indexes only the first. ``--json`` has all of it."""
    if len(shown) <= LONG or "," not in shown[:LONG] or "]" not in shown:
        return shown
    return f"{shown[: shown.rindex(',', 0, LONG)]},...{shown[shown.rindex(']') :]}"
