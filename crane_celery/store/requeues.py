"""The requeue verb on a server, in portions: each is one atomic step (requeue.lua)."""

from __future__ import annotations

from crane_celery.store import rows
from crane_celery.store.api import Requeued
from crane_celery.store.link import Link


def run(link: Link, job: int, ranks: str, how: tuple[str, int, int], uid: int) -> Requeued:
    """Have ranks run again, up to 500 that have run in one step. ``how``: what follows ("requeue", "hold"), 1 = what
    Completed too, 1 = what holds an allocation too."""
    ended, never, told = 0, 0, []
    for part in rows.pieces(ranks):
        rank = 0
        while rank >= 0:
            over, unrun, rank, *ids = link.run("requeue", job, part, *how, rank, rows.by(uid))
            ended, never = ended + over, never + unrun
            told += ids
    return Requeued(ended, never, told)
