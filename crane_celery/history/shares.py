"""Define what people have held of the machine, decayed: the fair share's memory. Kept as one sum for each, at
filing time.

Held CPU seconds count half after each half-life. A sum and the moment it is true of say all: a contribution of another
moment is decayed to that of the sum, or the sum to its, so the order of filing does not matter. Where the half-life is
changed, the sums are made anew from the runs.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, update

from crane_celery.history.engine import Database
from crane_celery.history.schema import ALLOCATION, CURSOR, PERSON, RUN, SUBMISSION

#: what is older than so many half-lives counts a 10^12th
_FADED = 40.0


class Owner(NamedTuple):
    """Whose a submission is."""

    uid: int = 0
    user: str = ""


class Sum(NamedTuple):
    """Limit: so many CPU seconds, as they count at a moment."""

    used: float = 0.0
    at: float = 0.0

    def plus(self, used: float, at: float, half_life_s: float) -> "Sum":
        """With this much more, which counts in full at ``at``."""
        if at >= self.at:
            return Sum(self.used * decay(at - self.at, half_life_s) + used, at)
        return Sum(self.used + used * decay(self.at - at, half_life_s), self.at)


def decay(seconds: float, half_life_s: float) -> float:
    """Return what is left of 1 after so long; with a half-life of 0 all of it."""
    return float(2.0 ** (-seconds / half_life_s)) if half_life_s > 0 else 1.0


def cpus_of(held: Sequence[Sequence[Any]]) -> float:
    """CPUs of an allocation ``[[node, cpus, memory, gres], ...]``."""
    return float(sum(part[1] for part in held))


class Shares:
    """The sums that a recorder keeps."""

    def __init__(self, database: Database, half_life_s: float) -> None:
        """Nothing is read until it is used."""
        self._database = database
        self._half_life_s = half_life_s
        self._sums: dict[Owner, Sum] | None = None
        self._met: set[Owner] = set()
        self._new: dict[Owner, Sum] = {}

    def forget(self) -> None:
        """Forget what is held in memory: it may not be true any more."""
        self._sums = None
        self._met.clear()
        self._new.clear()

    def meet(self, db: Connection, owners: Iterable[Owner]) -> None:
        """Make the rows of people who were never seen."""
        strangers = set(owners) - self._met
        if strangers:
            rows = [{"user": user, "uid": uid, "used": 0.0, "used_at": 0.0} for uid, user in sorted(strangers)]
            db.execute(self._database.insert_new(PERSON), rows)
            self._met |= strangers

    def add(self, owner: Owner, used: float, at: float) -> None:
        """Somebody held this much until ``at``; written by ``write``."""
        if used:
            self._new[owner] = self._new.get(owner, Sum()).plus(used, at, self._half_life_s)

    def write(self, db: Connection) -> None:
        """Write what was added."""
        if self._sums is None:
            self._sums = self._load(db)  # where the sums are made anew, what is added is in them: its runs are there
            if self._sums is None:
                self._sums = self._anew(db)
                self._new.clear()
        rows = []
        for owner, more in self._new.items():
            total = self._sums.get(owner, Sum()).plus(*more, self._half_life_s)
            self._sums[owner] = total
            rows.append(_row(owner, total))
        self._new.clear()
        if rows:
            db.execute(_UPDATE, rows)

    def _load(self, db: Connection) -> dict[Owner, Sum] | None:
        """The sums as filed; None where they are of another half-life."""
        if db.scalar(select(CURSOR.c.half_life)) != self._half_life_s:
            return None
        table = PERSON.c
        found = db.execute(select(table.uid, table.user, table.used, table.used_at).where(table.used > 0))
        return {Owner(uid, user): Sum(used, at) for uid, user, used, at in found}

    def _anew(self, db: Connection) -> dict[Owner, Sum]:
        sums = summed(db, self._half_life_s)
        db.execute(update(PERSON), {"used": 0.0, "used_at": 0.0})
        if sums:
            db.execute(_UPDATE, [_row(*each) for each in sums.items()])
        db.execute(update(CURSOR), {"half_life": self._half_life_s})
        return sums


def read(db: Connection, now: float, half_life_s: float) -> dict[int, float]:
    """Uid -> CPU seconds held, as they count now. Cheap where the recorder keeps them with this half-life; else
    the runs of 40 half-lives are read."""
    if db.scalar(select(CURSOR.c.half_life)) == half_life_s:
        table = PERSON.c
        rows = db.execute(select(table.uid, table.used, table.used_at).where(table.used > 0)).all()
        sums = [(uid, Sum(used, at)) for uid, used, at in rows]
    else:
        sums = [(owner.uid, each) for owner, each in summed(db, half_life_s).items()]
    found: dict[int, float] = {}
    for uid, each in sums:
        found[uid] = found.get(uid, 0.0) + each.used * decay(max(0.0, now - each.at), half_life_s)
    return found


def summed(db: Connection, half_life_s: float) -> dict[Owner, Sum]:
    """The sums from the runs on file."""
    newest = float(db.scalar(select(func.max(RUN.c.ended_at))) or 0.0)
    texts = db.execute(select(ALLOCATION.c.allocation, ALLOCATION.c.text))
    cpus = {number: cpus_of(json.loads(text)) for number, text in texts}
    runs = (
        select(SUBMISSION.c.uid, SUBMISSION.c.user, RUN.c.allocation, RUN.c.ended_at, RUN.c.ended_at - RUN.c.leased_at)
        .join(SUBMISSION, SUBMISSION.c.job == RUN.c.job)
        .where(RUN.c.leased_at > 0)
    )
    if half_life_s > 0:
        runs = runs.where(RUN.c.ended_at > newest - _FADED * half_life_s)
    sums: dict[Owner, Sum] = {}
    for uid, user, allocation, ended_at, lasted in db.execute(runs):
        used = cpus.get(allocation, 0.0) * max(0.0, lasted)
        owner = Owner(uid, user)
        sums[owner] = sums.get(owner, Sum()).plus(used, ended_at, half_life_s)
    return sums


def _row(owner: Owner, total: Sum) -> dict[str, Any]:
    return {"b_uid": owner.uid, "b_user": owner.user, "b_used": total.used, "b_at": total.at}


_UPDATE = (
    update(PERSON)
    .where(PERSON.c.uid == bindparam("b_uid"), PERSON.c.user == bindparam("b_user"))
    .values(used=bindparam("b_used"), used_at=bindparam("b_at"))
)
