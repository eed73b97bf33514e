"""Licences of one cycle: how many are free, and which ones a start takes. Pure.

What a run holds stands in its first part as a resource ``license:NAME`` with a slot for each, so that it is given back,
recorded and shown like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from crane_celery.grammar.licenses import License, LicenseRequest, parse_licenses
from crane_celery.model.job import Allocation
from crane_celery.model.states import Reason
from crane_celery.sched.plan import Why

PREFIX = "license:"


def held(parts: Iterable[Allocation]) -> dict[str, int]:
    """Licences that these parts hold."""
    return {
        name.removeprefix(PREFIX): len(slots)
        for part in parts
        for name, slots in part.gres.items()
        if name.startswith(PREFIX)
    }


class Licences:
    """Counts of one cycle."""

    def __init__(self, have: Mapping[str, int], used: Mapping[str, int]) -> None:
        """``have``: the cluster's; ``used``: by all runs."""
        self._free = {name: count - used.get(name, 0) for name, count in have.items()}

    def lack(self, text: str) -> Why | None:
        """Why a request (canonical text) cannot be met now."""
        if not text or self._chosen(parse_licenses(text)) is not None:
            return None
        item = parse_licenses(text).items[0]
        return Why(Reason.LICENSES, f"licences {item.name}", item.number, max(0, self._free.get(item.name, 0)))

    def _chosen(self, request: LicenseRequest) -> tuple[License, ...] | None:
        """What of a request is taken: all of it, or the first alternative that is free."""
        free = [item for item in request.items if self._free.get(item.name, 0) >= item.number]
        if request.any_of:
            return (free[0],) if free else None
        return request.items if len(free) == len(request.items) else None

    def take(self, text: str, parts: tuple[Allocation, ...]) -> tuple[Allocation, ...]:
        """The parts of a start, with the licences that it holds. To be called where ``lack`` found none."""
        chosen = self._chosen(parse_licenses(text)) if text else None
        if not chosen:
            return parts
        for item in chosen:
            self._free[item.name] -= item.number
        more = {f"{PREFIX}{item.name}": tuple(range(item.number)) for item in chosen}
        return replace(parts[0], gres={**parts[0].gres, **more}), *parts[1:]
