"""Licences of one cycle: how many are free, and which ones a start takes. Pure.

What a run holds stands in its first part as a resource ``license:NAME`` with a slot for each, so that it is given back,
recorded and shown like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf

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
        self._have = have
        self._free = {name: count - used.get(name, 0) for name, count in have.items()}
        self._claims: dict[str, tuple[int, float]] = {}  # what is withheld of a licence, and from when on

    def claim(self, text: str, start: float) -> bool:
        """Withhold what a request asks for from those who would use it at ``start`` or later; of each licence for the
        first who claims it. Whether it is the first for any."""
        request = parse_licenses(text)
        items = [item for item in request.items if self._have.get(item.name, 0) >= item.number]
        first = [item for item in (items[:1] if request.any_of else items) if item.name not in self._claims]
        self._claims.update({item.name: (item.number, start) for item in first})
        return bool(first)

    def lack(self, text: str, until: float = inf) -> Why | None:
        """Why a request (canonical text) cannot be met now. ``until``: when its run is over at the latest."""
        if not text or self._chosen(parse_licenses(text), until) is not None:
            return None
        item = parse_licenses(text).items[0]
        free = self._left(item.name, until)
        return Why(Reason.LICENSES, f"licences {item.name}", item.number, max(0, free))

    def _left(self, name: str, until: float) -> int:
        """Return how many are free for a run that is over by then."""
        count, start = self._claims.get(name, (0, inf))
        return self._free.get(name, 0) - (count if until > start else 0)

    def _chosen(self, request: LicenseRequest, until: float) -> tuple[License, ...] | None:
        """Return what of a request is taken: all of it, or the first alternative that is free."""
        free = [item for item in request.items if self._left(item.name, until) >= item.number]
        if request.any_of:
            return (free[0],) if free else None
        return request.items if len(free) == len(request.items) else None

    def take(self, text: str, parts: tuple[Allocation, ...], until: float = inf) -> tuple[Allocation, ...]:
        """The parts of a start, with the licences that it holds. To be called where ``lack`` found none."""
        chosen = self._chosen(parse_licenses(text), until) if text else None
        if not chosen:
            return parts
        for item in chosen:
            self._free[item.name] -= item.number
        more = {f"{PREFIX}{item.name}": tuple(range(item.number)) for item in chosen}
        return replace(parts[0], gres={**parts[0].gres, **more}), *parts[1:]
