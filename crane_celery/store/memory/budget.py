"""Bytes of bodies that each user brought, as lua/lib/shared.lua counts them; for the store in memory."""

from __future__ import annotations

from collections import Counter

from crane_celery.model.asjson import spec_to_json
from crane_celery.model.job import JobSpec
from crane_celery.store.bodies import Packed, pack
from crane_celery.store.codec import dumps


class BodyBudget:
    """Record of what is held, by user. A shared piece counts once, for the user who brought it first."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.held: Counter[int] = Counter()
        self._uses: Counter[str] = Counter()
        self._owner: dict[str, int] = {}
        self._jobs: dict[int, tuple[int, int, dict[str, int]]] = {}  # id -> (uid, its own bytes, its shared pieces)

    def cost(self, spec: JobSpec, body: bytes, brought: set[str]) -> int:
        """Return the bytes that a submission would add. ``brought``: pieces of those before it; its own are added."""
        packed = pack(body)
        fresh = packed.shared.keys() - self._uses.keys() - brought
        brought |= fresh
        return _own(spec, packed) + sum(len(packed.shared[digest]) for digest in fresh)

    def add(self, id: int, spec: JobSpec, body: bytes) -> None:
        """Count a submission that was accepted."""
        packed = pack(body)
        self._jobs[id] = spec.uid, _own(spec, packed), {digest: len(piece) for digest, piece in packed.shared.items()}
        self.held[spec.uid] += _own(spec, packed)
        for digest, piece in packed.shared.items():
            if not self._uses[digest]:
                self._owner[digest] = spec.uid
                self.held[spec.uid] += len(piece)
            self._uses[digest] += 1

    def drop(self, id: int) -> None:
        """Count a submission no longer that was forgotten."""
        uid, own, pieces = self._jobs.pop(id)
        self.held[uid] -= own
        for digest, size in pieces.items():
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
                self.held[self._owner.pop(digest)] -= size


def _own(spec: JobSpec, packed: Packed) -> int:
    return len(dumps(spec_to_json(spec))) + len(packed.record)
