"""Submissions on a server. See store.api.jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from crane_celery.errors import CraneError, NotFound
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.asjson import step_from_json
from crane_celery.model.event import asked_by
from crane_celery.model.job import Element, Job, StepRow
from crane_celery.model.overrides import dependent, spec_of, update_of
from crane_celery.store import bodies, codec, script_args
from crane_celery.store.api import NOBODY, REQUEUE, Cancelled, Requeue, Requeued, Submission
from crane_celery.store.bitmaps import ranks_of
from crane_celery.store.codec import dumps
from crane_celery.store.keys import CHUNK, Keys
from crane_celery.store.link import Link
from crane_celery.store.redis import requeue as requeues
from crane_celery.store.redis.part import READ, Part

DAY_S = 86400
#: submissions ended by one script call
WHOLE = 1000


class RedisJobs(Part):
    """store.api.JobStore."""

    def __init__(
        self,
        link: Link,
        keys: Keys,
        disk_guard: Callable[[], None] | None = None,
        last_id: Callable[[], int] = lambda: 0,
    ) -> None:
        """``disk_guard``, ``last_id``: see RedisStore."""
        super().__init__(link, keys)
        self._guard = disk_guard
        self._last_id = last_id
        self._pieces = bodies.Pieces()

    def now(self) -> float:
        """Server time."""
        seconds, micros = self.link.do("TIME")
        return int(seconds) + int(micros) / 1e6

    def submit(self, jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        """Accept submissions, up to 64 in one atomic step. See store.api."""
        if self._guard:
            self._guard()
        portions = list(script_args.portions(list(zip(jobs, keys, strict=True))))
        if len(portions) > 1:
            self._refuse_unknown(jobs)
        ids: list[int] = []
        try:
            for portion in portions:
                ids += self._take(script_args.accepted(portion))
        except CraneError as error:
            error.accepted = (*ids,)
            raise
        return ids

    def _take(self, args: Sequence[str | bytes | int | float]) -> list[int]:
        """One portion. An empty server is told where ids go on, since none may be given out twice."""
        taken: list[int] | int = self.link.run("submit", DAY_S, "", *args)
        if isinstance(taken, int):
            taken = self.link.run("submit", DAY_S, self._last_id(), *args)
        assert isinstance(taken, list)
        return taken

    def _refuse_unknown(self, jobs: Sequence[Submission]) -> None:
        """Of several portions none may be taken when any names an id that was never given out."""
        deps = list(dict.fromkeys(job.dep for job in jobs if job.dep))
        for at in range(0, len(deps), READ):
            self.link.run("check", *deps[at : at + READ])

    def cancel(self, job: int, ranks: str, uid: int, signal: int = 0) -> Cancelled:
        """End pending ranks, tell running ones to stop, 2,000 runs and one piece of ranks (script_args) in one step."""
        ended, running, waiting = 0, [], 0
        for part in script_args.pieces(ranks):
            rank = 0
            while rank >= 0:
                pending, rank, waiting, *told = self.link.run("cancel", job, part, uid, signal, rank)
                ended += pending
                running += told
        return Cancelled(ended, running, waiting)

    def cancel_whole(self, jobs: Sequence[int], uid: int) -> list[int]:
        """End many submissions that nothing has happened to, 1,000 in one step. See store.api."""
        calls = [(uid, *jobs[at : at + WHOLE]) for at in range(0, len(jobs), WHOLE)]
        return [waiting for answer in self.link.run_all("cancel_whole", calls) for waiting in answer]

    def hold(self, job: int, ranks: str, on: bool, until: float = 0.0, uid: int = NOBODY) -> None:
        """Hold or release pending ranks, in portions (script_args.pieces). Raises NotFound."""
        for part in script_args.pieces(ranks):
            self.link.run("hold", job, part, "hold" if on else "release", f"{until:.3f}", script_args.by(uid))

    def update(self, job: int, ranks: str, fields: Mapping[str, Any], uid: int = NOBODY) -> None:
        """Change fields for some ranks; tried again when somebody else changed them meanwhile. See store.api."""
        done = False
        while not done:
            record = self.job(job)
            if record is None:
                raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
            event = asked_by(uid) | update_of(record, ranks, fields)
            whole = event["ranks"] == RangeSet.span(0, record.count - 1).text
            priority = f"{float(fields['priority'])!r}" if whole and "priority" in fields else ""
            after = spec_of(record.spec, event["changes"], 0)
            policy = script_args.policy(after) if fields.keys() & {"requeue", "max_fails"} else ""
            args = (record.changes, event["changes"], dumps(event), priority, fields.get("throttle", ""), policy)
            done = bool(self.link.run("update", job, *args))

    def depend(self, job: int, text: str, dep: str, uid: int = NOBODY) -> bool:
        """Another dependency; tried again when somebody else changed the job meanwhile. See store.api."""
        done = 0
        while not done:
            record = self.job(job)
            if record is None:
                raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
            done = self.link.run(
                "depend", job, record.changes, dependent(record, text), dep, dumps(text), script_args.by(uid)
            )
        return done > 0

    def requeue(self, job: int, ranks: str, how: Requeue = REQUEUE, uid: int = NOBODY) -> Requeued:
        """Have ranks run again, 500 that have run in one step. See store.api."""
        return requeues.run(self.link, lambda: self.job(job), job, ranks, how, uid)

    def job(self, job: int) -> Job | None:
        """One submission by its id."""
        return next(iter(self.jobs([job])), None)

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""
        if job := self.job(id):
            return job
        base = self.link.do("ZREVRANGEBYSCORE", self.keys.one("arrays"), id, 0, "LIMIT", 0, 1)
        job = self.job(int(base[0])) if base else None
        return job if job and job.id <= id < job.id + job.count else None

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""
        wanted = self.link.do("ZRANGE", self.keys.one("alive"), 0, -1) if ids is None else list(ids)
        return codec.readable(codec.job_from_row, self.read("job", codec.JOB_FIELDS, wanted))

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id, or all that hold an allocation."""
        wanted = self._holding() if ids is None else list(ids)
        return codec.readable(codec.element_from_row, self.read("el", codec.ELEMENT_FIELDS, wanted))

    def _holding(self) -> list[bytes]:
        names = self.link.do("SMEMBERS", self.keys.one("nodes"))
        runs = self.link.do("SUNION", *(self.keys.of("runs", name.decode()) for name in names)) if names else ()
        return sorted({member.partition(b":")[0] for member in runs}, key=int)

    def steps(self, id: int, run: int) -> list[StepRow]:
        """COMMON steps of a run, by number."""
        found = self.link.do("HGETALL", self.keys.of("steps", id))
        steps = [step_from_json(json.loads(v[1:])) for k, v in found.items() if k.startswith(b"%d." % run)]
        return sorted(steps, key=lambda row: row.step)

    def body(self, job: int) -> bytes | None:
        """The submission's script and environment. Costs a second round trip for pieces not read lately."""
        record: bytes | None = self.link.do("GET", self.keys.of("body", job))
        if record is None:
            return None
        shared = {digest: self._pieces.get(digest) for digest in bodies.references(record)}
        missing = [digest for digest, piece in shared.items() if piece is None]
        found = self.link.do_all([("HGET", self.keys.of("shared", digest), "b") for digest in missing])
        for digest, piece in zip(missing, found, strict=True):
            if piece is None:
                return None  # the job was forgotten meanwhile
            shared[digest] = piece
            self._pieces.add(digest, piece)
        return bodies.unpack(record, {digest: piece for digest, piece in shared.items() if piece is not None})

    def known(self, id: int) -> bool:
        """Return whether this id was ever given out."""
        return 1 <= id <= int(self.link.do("GET", self.keys.one("next")) or 0)

    def ended_bits(self, first: int, count: int) -> tuple[int, int]:
        """(ended, succeeded) counts over a block of ids."""
        ended, ok = self.link.run("count_bits", first, count)
        return ended, ok

    def outcome(self, first: int, count: int) -> tuple[RangeSet, RangeSet]:
        """Which ids of a block ended, and Completed. What ended meanwhile may be in the first alone. See store.api."""
        ok = self._bits_of("ok", first, count)
        return self._bits_of("ended", first, count) | ok, ok

    def _bits_of(self, kind: str, first: int, count: int) -> RangeSet:
        found = RangeSet()
        for chunk in range(first // CHUNK, (first + count - 1) // CHUNK + 1):
            bits: bytes = self.link.do("GET", self.keys.of("bits", f"{kind}:{chunk}")) or b""
            found |= ranks_of(bits, first - chunk * CHUNK, count)
        return found
