"""The writing side: batches into the database, each with the cursor in one transaction.

The cursor in the database is the truth about what is filed. ``file`` moves it by compare-and-set: a batch whose
beginning is not where the cursor stands is refused whole, so however many recorders run, each event is filed once.
Cost, measured on the reference machine (2 cores, SQLite, fsync per batch, 75 ends each, decoding included): 31 us of
CPU for an ended run of an array, 56 us for a plain job; 140 and 380 bytes of database.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import gone, record, revival, shares
from crane_celery.history.batch import Batch, Cancelled, Finished, RunKey, Told
from crane_celery.history.engine import Database
from crane_celery.history.schema import (
    ALLOCATION,
    ALLOCATION_NODE,
    CANCELLED,
    CURSOR,
    FINAL,
    OPEN_RUN,
    REQUEUED,
    RUN,
    STEP,
    SUBMISSION,
    TOLD,
)
from crane_celery.history.shares import Owner, Shares
from crane_celery.model.event import Position
from crane_celery.model.fields.table import searched
from crane_celery.model.job import Job, StepRow, paused
from crane_celery.model.overrides import spec_parts
from crane_celery.model.states import State
from crane_celery.model.weights import Priority

_CACHED = 20_000


class _Open(NamedTuple):
    """Record of what is known of a run that has not ended; nothing where nobody saw its start."""

    job: int = 0
    rank: int = 0
    leased_at: float = 0.0
    allocation: int = 0
    suspended_at: float = 0.0
    suspended_s: float = 0.0

    def moved(self, state: str, at: float) -> "_Open":
        """It was suspended, or goes on."""
        if state == State.SUSPENDED:
            return self._replace(suspended_at=self.suspended_at or at)
        return self._replace(suspended_at=0.0, suspended_s=self.paused(at))

    def paused(self, until: float) -> float:
        """Seconds in which it was suspended."""
        return paused(self.suspended_s, self.suspended_at, until)


class Filing:
    """Writes batches. Keeps what it needs of open runs in memory; forgets it when another recorder has written."""

    def __init__(self, database: Database, half_life_s: float = Priority().half_life_s) -> None:
        """Nothing is read until it is used. ``half_life_s``: what people hold counts half after so long."""
        self._database = database
        self._shares = Shares(database, half_life_s)
        self._allocations: dict[str, int] = {}
        self._cpus: dict[int, float] = {}  # of allocations, by number
        self._owners: dict[int, Owner] = {}
        self._open: dict[RunKey, _Open] | None = None

    def cursor(self) -> Position:
        """The newest event that is filed."""
        with self._database.reading() as db:
            return self._cursor(db)

    def file(self, batch: Batch, after: Position, upto: Position) -> bool:
        """File what happened after ``after`` up to ``upto``; False, and nothing done, when that is not where the
        cursor stands. Raises SystemFault, and nothing is done."""
        try:
            with self._database.writing() as db:
                moved = db.execute(
                    update(CURSOR).where(CURSOR.c.ms == after.ms, CURSOR.c.seq == after.seq),
                    {"ms": upto.ms, "seq": upto.seq},
                )
                if moved.rowcount == 1:
                    self._write(db, batch)
                    return True
        except BaseException:
            self._forget()
            raise
        self._forget()
        return False

    def trial(self, batch: Batch) -> None:
        """Write a batch and take it back: raises what filing it would raise."""
        try:
            with self._database.writing() as db:
                self._write(db, batch)
                db.rollback()
        finally:
            self._forget()

    def add(self, batch: Batch) -> None:
        """File what was set aside before; the cursor stays. Raises SystemFault, BadRecord."""
        try:
            with self._database.writing() as db:
                self._write(db, batch)
        finally:
            self._forget()

    def has_gap(self) -> bool:
        """Return whether a gap was seen that nobody has closed yet."""
        with self._database.reading() as db:
            return bool(db.scalar(select(CURSOR.c.gap)))

    def mark_gap(self, on: bool) -> None:
        """Remember a gap until it is closed, over a kill too."""
        with self._database.writing() as db:
            db.execute(update(CURSOR), {"gap": int(on)})

    def open_runs(self) -> dict[RunKey, tuple[int, int]]:
        """Runs that began and of which no end is filed -> (submission, rank)."""
        columns = OPEN_RUN.c
        with self._database.reading() as db:
            rows = db.execute(select(columns.id, columns.run, columns.job, columns.rank)).all()
        return {(id, run): (job, rank) for id, run, job, rank in rows}

    def last_id(self) -> int:
        """The highest id of any submission on file, 0 = none."""
        newest = select(SUBMISSION.c.job + SUBMISSION.c.count - 1).order_by(SUBMISSION.c.job.desc()).limit(1)
        with self._database.reading() as db:
            return int(db.scalar(newest) or 0)

    def unfinished(self) -> set[int]:
        """Submissions that have not ended, as far as is filed."""
        with self._database.reading() as db:
            return set(db.scalars(select(SUBMISSION.c.job).where(SUBMISSION.c.done_at == 0)))

    def filed_ranks(self, job: int, count: int) -> RangeSet:
        """Ranks of which an end is filed that nothing followed: a run's, or a cancel before one."""
        with self._database.reading() as db:
            final = RUN.c.id.between(job, job + count - 1), RUN.c.again == FINAL
            ended = db.scalars(select(RUN.c.rank).where(*final)).all()
            never = gone.together(db.execute(select(CANCELLED).where(CANCELLED.c.job == job)))
        return RangeSet.of(ended) | never

    def _forget(self) -> None:
        self._allocations.clear()
        self._owners.clear()
        self._shares.forget()
        self._open = None

    @staticmethod
    def _cursor(db: Connection) -> Position:
        return Position(*db.execute(select(CURSOR.c.ms, CURSOR.c.seq)).one())

    def _write(self, db: Connection, batch: Batch) -> None:
        self._write_submissions(db, batch.submissions.values())
        self._write_cancelled(db, revival.take_back(db, batch.revived))
        self._write_told(db, batch)
        self._write_runs(db, batch)
        self._write_cancelled(db, batch.cancelled)
        self._write_steps(db, batch.steps.values())
        if batch.done:
            rows = [{"b_job": job, "b_at": at} for job, at in batch.done.items()]
            db.execute(_DONE, rows)
        self._write_changes(db, batch.changes)
        self._shares.write(db)

    def _write_submissions(self, db: Connection, jobs: Iterable[Job]) -> None:
        rows = [_submission(job) for job in jobs]
        if rows:
            db.execute(self._database.insert_new(SUBMISSION), rows)
            owners = {row["job"]: Owner(row["uid"], row["user"]) for row in rows}
            self._owners.update(owners)
            self._shares.meet(db, owners.values())

    def _write_changes(self, db: Connection, changes: dict[int, str]) -> None:
        """Move what is the same for all of a submission into the columns that are searched."""
        for job, text in changes.items():
            db.execute(update(SUBMISSION).where(SUBMISSION.c.job == job), {"changes": text})
            if not text:
                continue
            told = db.scalar(select(SUBMISSION.c.record).where(SUBMISSION.c.job == job))
            whole = record.decode(told) if told else None
            specs = spec_parts(whole.spec, text, RangeSet.span(0, whole.count - 1)) if whole else []
            values = {name: {getattr(spec, name) for _, spec in specs} for name in _SEARCHED}
            row = {name: each.pop() for name, each in values.items() if len(each) == 1}
            if row:
                db.execute(update(SUBMISSION).where(SUBMISSION.c.job == job), row)

    def _write_told(self, db: Connection, batch: Batch) -> None:
        """A stop names runs: which submissions they are of is known of open ones and of those that start here."""
        told = list(batch.told)
        if batch.stops:
            known = self._load_open(db)
            for each, keys in batch.stops:
                ranks: dict[int, list[int]] = {}
                for key in keys:
                    run = batch.started.get(key) or known.get(key)
                    if run:
                        ranks.setdefault(run.job, []).append(run.rank)
                told += [each._replace(job=job, ranks=RangeSet.of(some).text) for job, some in ranks.items()]
        if told:
            db.execute(self._database.insert_new(TOLD), list(map(Told._asdict, told)))

    def _write_runs(self, db: Connection, batch: Batch) -> None:
        """Runs that began and ended within the batch never touch the table of open ones."""
        known = self._load_open(db)
        closed = [{"b_id": id, "b_run": run} for id, run in batch.finished if (id, run) in known]
        for key, start in batch.started.items():
            number = self._allocation(db, start.allocation)
            known[key] = _Open(start.job, start.rank, start.leased_at, number)
        self._move(db, batch, known)
        began = [_open_run(key, known[key]) for key in batch.started if key not in batch.finished]
        if began:
            db.execute(self._database.insert_new(OPEN_RUN), began)
        if batch.finished:
            self._write_ends(db, {key: (known.pop(key, _Open()), end) for key, end in batch.finished.items()})
        if closed:
            db.execute(_CLOSE, closed)

    @staticmethod
    def _move(db: Connection, batch: Batch, known: dict[RunKey, _Open]) -> None:
        for key, state, at in batch.moved:
            if key in known:
                known[key] = known[key].moved(state, at)
        changed = [
            {"b_id": key[0], "b_run": key[1], "b_at": known[key].suspended_at, "b_s": known[key].suspended_s}
            for key in {key for key, _, _ in batch.moved}
            if key in known and key not in batch.started and key not in batch.finished
        ]
        if changed:
            db.execute(_MOVED, changed)

    def _write_ends(self, db: Connection, ends: dict[RunKey, tuple[_Open, Finished]]) -> None:
        owners = self._owners_of(db, {end.job for _, end in ends.values()})
        rows = []
        for key, (start, end) in ends.items():
            owner = owners.get(end.job, Owner())
            paused = start.paused(end.ended_at) or end.suspended_s
            rows.append(_run(key, end._replace(suspended_s=paused), start, owner.uid))
            held = self._cpus.get(start.allocation, 0.0) * max(0.0, end.ended_at - (start.leased_at or end.ended_at))
            self._shares.add(owner, held, end.ended_at)
        db.execute(self._database.insert_new(RUN), rows)
        later = [{"b_id": id, "b_run": run} for id, run in ends if run > 1]
        if later:  # whatever was or was not seen of it, a run before another one was not the last
            db.execute(_FOLLOWED, later)

    def _write_cancelled(self, db: Connection, cancelled: Sequence[Cancelled]) -> None:
        if cancelled:
            owners = self._owners_of(db, {each.job for each in cancelled})
            rows = [
                {**each._asdict(), **gone.columns(each.ranks), "uid": owners.get(each.job, Owner()).uid}
                for each in cancelled
            ]
            db.execute(self._database.insert_new(CANCELLED), rows)

    def _write_steps(self, db: Connection, steps: Iterable[StepRow]) -> None:
        rows = [_step(step) for step in steps]
        if rows:
            insert = self._database.insert(STEP)
            changed = {name: insert.excluded[name] for name in _STEP_CHANGES}
            # a late report of its beginning must not undo its end
            db.execute(
                insert.on_conflict_do_update(
                    index_elements=["id", "run", "step"], set_=changed, where=STEP.c.ended_at == 0
                ),
                rows,
            )

    def _load_open(self, db: Connection) -> dict[RunKey, _Open]:
        if self._open is None:
            columns = OPEN_RUN.c
            held = select(ALLOCATION.c.allocation, ALLOCATION.c.text).where(
                ALLOCATION.c.allocation.in_(select(columns.allocation))
            )
            for number, text in db.execute(held):
                self._cpus[number] = shares.cpus_of(json.loads(text))
            found = db.execute(select(columns.id, columns.run, *(columns[name] for name in _Open._fields)))
            self._open = {(id, run): _Open(*rest) for id, run, *rest in found}
        return self._open

    def _owners_of(self, db: Connection, jobs: set[int]) -> dict[int, Owner]:
        if len(self._owners) > _CACHED:
            self._owners.clear()
        missing = sorted(jobs - self._owners.keys())
        for at in range(0, len(missing), 500):
            table, chunk = SUBMISSION.c, missing[at : at + 500]
            rows = db.execute(select(table.job, table.uid, table.user).where(table.job.in_(chunk))).all()
            self._owners.update((job, Owner(uid, user)) for job, uid, user in rows)
        return self._owners

    def _allocation(self, db: Connection, held: list[list[Any]]) -> int:
        """The number of this allocation, made on first sight."""
        text = json.dumps(held, separators=(",", ":"))
        if text not in self._allocations:
            if len(self._allocations) > _CACHED:
                self._allocations.clear()
            number = self._intern(db, text, sorted({each[0] for each in held}))
            self._allocations[text] = number
            self._cpus[number] = shares.cpus_of(held)
        return self._allocations[text]

    def _intern(self, db: Connection, text: str, nodes: Sequence[str]) -> int:
        digest = hashlib.sha256(text.encode()).hexdigest()
        number = db.scalar(select(ALLOCATION.c.allocation).where(ALLOCATION.c.digest == digest))
        if number is None:
            made = db.execute(ALLOCATION.insert(), {"digest": digest, "text": text}).inserted_primary_key
            number = int(made[0]) if made else 0
            if nodes:
                db.execute(ALLOCATION_NODE.insert(), [{"node": node, "allocation": number} for node in nodes])
        return int(number)


#: what submissions are searched by, where all of one has the same
_SEARCHED = [key for _, key in searched()]
_DONE = update(SUBMISSION).where(SUBMISSION.c.job == bindparam("b_job")).values(done_at=bindparam("b_at"))
_FOLLOWED = (
    update(RUN)
    .where(RUN.c.id == bindparam("b_id"), RUN.c.run < bindparam("b_run"), RUN.c.again == FINAL)
    .values(again=REQUEUED)
)
_MOVED = (
    update(OPEN_RUN)
    .where(OPEN_RUN.c.id == bindparam("b_id"), OPEN_RUN.c.run == bindparam("b_run"))
    .values(suspended_at=bindparam("b_at"), suspended_s=bindparam("b_s"))
)
_CLOSE = delete(OPEN_RUN).where(OPEN_RUN.c.id == bindparam("b_id"), OPEN_RUN.c.run == bindparam("b_run"))
_STEP_CHANGES = (
    *("name", "state", "node", "ntasks", "cpus", "memory", "command"),
    *("began_at", "ended_at", "code", "cpu_s", "memory_peak", "memory_deaths"),
)


def _submission(job: Job) -> dict[str, Any]:
    spec = job.spec
    return {
        "job": job.id,
        "count": job.count,
        "submitted_at": job.submitted_at,
        "done_at": job.ended_at,
        "uid": spec.uid,
        "user": spec.user,
        "name": spec.name,
        "partition": spec.partition,
        "account": spec.account,
        "qos": spec.qos,
        "record": record.encode(job),
        "changes": job.changes,
    }


def _open_run(key: RunKey, start: _Open) -> dict[str, Any]:
    return {"id": key[0], "run": key[1], **start._asdict()}


def _run(key: RunKey, end: Finished, start: _Open, uid: int) -> dict[str, Any]:
    return {
        "id": key[0],
        "run": key[1],
        "uid": uid,
        "leased_at": start.leased_at,
        "allocation": start.allocation,
        **end._asdict(),
    }


def _step(step: StepRow) -> dict[str, Any]:
    row = {name: getattr(step, name) for name in ("run", "step", *_STEP_CHANGES)}
    return row | {"id": step.job, "state": str(step.state)}
