"""Notes of the leader about its last plan, as text: for commands, why classes are pending and for which jobs nodes are
drained; for the next leader, the drains. Pure.

A class is noted by what it asks of nodes, with its user where the reason is the user's; one that asks for more than a
noted one, for the same reason, is not noted: whoever reads the text finds it by what it covers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from crane_celery.model.states import Reason
from crane_celery.sched.draining import Drain
from crane_celery.sched.plan import Plan, Why
from crane_celery.sched.want import Want

#: classes looked at, and noted, at most: what is beyond is shown as Priority
_LOOKED_AT, _NOTED = 5000, 500
#: of these, what asks for more is pending too
_OF_SIZE = (Reason.RESOURCES, Reason.RESERVED, Reason.NODES_DOWN, Reason.PARTITION)
#: whose reason it is (``_ANYBODY``: of all users), and what is asked for
Key = tuple[int, Want]
_ANYBODY = -1


class Noted:
    """The last plan as far as it was noted."""

    def __init__(
        self, drains: Sequence[Drain] = (), reasons: Mapping[Key, Why] | None = None, unseen: bool = False
    ) -> None:
        """``unseen``: classes were left out, or not looked at."""
        self.drains = drains
        self.unseen = unseen
        self.drained: Mapping[int, Sequence[Drain]] = _by_job(drains)
        self.reasons = dict(reasons or {})
        self._known: dict[Key, Why] = {}

    def why(self, uid: int, want: Want) -> Why:
        """Return why a class is pending; reason NONE where the scheduler has not looked at it yet."""
        found = self._known.get((uid, want))
        if found is None:
            found = self._known[uid, want] = self._find(uid, want)
        return found

    def _find(self, uid: int, want: Want) -> Why:
        exact = self.reasons.get((uid, want)) or self.reasons.get((_ANYBODY, want))
        if exact:
            return exact
        less = (why for (_, other), why in self.reasons.items() if why.reason in _OF_SIZE and other.covers(want))
        return next(less, Why(Reason.PRIORITY if self.unseen else Reason.NONE))


def _by_job(drains: Sequence[Drain]) -> dict[int, list[Drain]]:
    found: dict[int, list[Drain]] = {}
    for drain in drains:
        if drain.nodes:
            found.setdefault(drain.job, []).append(drain)
    return found


def noted(plan: Plan) -> Noted:
    """Return what is to be noted of a plan."""
    kept: dict[Key, Why] = {}
    least: list[tuple[Want, Why]] = []
    for kind, why in islice(plan.blocked.items(), _LOOKED_AT):
        key = (kind.uid if why.reason is Reason.USER_LIMIT else _ANYBODY, kind.want)
        if key in kept or any(said == why and other.covers(kind.want) for other, said in least):
            continue
        kept[key] = why
        if why.reason in _OF_SIZE:
            least.append((kind.want, why))
        if len(kept) == _NOTED:
            break
    drains = [drain for drain in plan.drains if drain.nodes]
    return Noted(drains, kept, plan.unseen or len(plan.blocked) > _LOOKED_AT or len(kept) == _NOTED)


def encode(found: Noted) -> str:
    """Return it as text; "" = nothing is pending."""
    if not (found.drains or found.reasons or found.unseen):
        return ""
    return json.dumps(
        {
            "drains": [list(drain) for drain in found.drains],
            "why": [[uid, _row(want), list(why)] for (uid, want), why in found.reasons.items()],
            "unseen": found.unseen,
        },
        separators=(",", ":"),
    )


def decode(text: str) -> Noted:
    """Return what ``encode`` was given; nothing where another version wrote something else."""
    try:
        data = json.loads(text or "{}")
        return Noted(_drains(data.get("drains", ())), dict(_reasons(data.get("why", ()))), bool(data.get("unseen")))
    except (AttributeError, TypeError, ValueError):
        return Noted()


def _drains(rows: Sequence[Any]) -> list[Drain]:
    return [drain._replace(nodes=tuple(drain.nodes)) for drain in (Drain(*row) for row in rows)]


def _reasons(rows: Sequence[Any]) -> Iterator[tuple[Key, Why]]:
    for uid, row, (reason, *numbers) in rows:
        want = Want(*row)
        gres = tuple((name, count) for name, count in want.gres)
        want = want._replace(gres=gres, nodelist=frozenset(want.nodelist), exclude=frozenset(want.exclude))
        yield (uid, want), Why(Reason(reason), *numbers)


def _row(want: Want) -> list[Any]:
    return [sorted(value) if isinstance(value, frozenset) else value for value in want]
