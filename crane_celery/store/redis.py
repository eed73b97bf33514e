"""The store on a Redis or Valkey server: every verb is one Lua script; reads come in portions as flat text.

The contract is store.api; keys are store.keys; records are store.codec. Hot verbs (``start``, ``report``) make no
record objects: rows go out as JSON and in as lists.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from crane_celery.errors import CraneError, NotFound
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.event import Event, asked_by
from crane_celery.model.job import Element, Job, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.overrides import dependent, spec_of, update_of
from crane_celery.store import codec, requeues, rows
from crane_celery.store.api import (
    NOBODY,
    Answer,
    Beat,
    Cancelled,
    Changing,
    Forgotten,
    Question,
    Registration,
    Report,
    Requeued,
    Snapshot,
    Start,
    Submission,
    Wanted,
)
from crane_celery.store.bitmaps import ranks_of
from crane_celery.store.codec import dumps
from crane_celery.store.keys import CHUNK, Keys
from crane_celery.store.link import LONGEST_WAIT_S, Link
from crane_celery.store.redis_drains import RedisDrains

DAY_S = 86400
#: records read, verdicts stored, submissions ended by one script call: they keep it far below 50 ms
READ, JUDGE, WHOLE = 500, 100, 1000
#: steps in which one call forgets: the leader has other things to do
FORGET = 4
_LOST = "the node restarted while this ran"


class RedisStore(RedisDrains):
    """store.api.Store on a server; safe to share between threads; connects when first used."""

    def __init__(
        self,
        url: str,
        prefix: str,
        disk_guard: Callable[[], None] | None = None,
        last_id: Callable[[], int] = lambda: 0,
    ) -> None:
        """``prefix``: the cluster's hash tag. ``disk_guard`` is called before every submit: it raises DiskFull when
        the server's disk is nearly full, so that the last free space is kept for work that runs. ``last_id`` is asked
        where the server never gave out an id: the highest that it may have before it lost its data."""
        self._keys = Keys(prefix)
        self.link = Link(url, self._keys.prefix)
        self._guard = disk_guard
        self._last_id = last_id

    # --- JobStore

    def now(self) -> float:
        """Server time."""
        seconds, micros = self.link.do("TIME")
        return int(seconds) + int(micros) / 1e6

    def submit(self, jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        """Accept submissions, up to 64 in one atomic step. See store.api."""
        if self._guard:
            self._guard()
        portions = list(rows.portions(list(zip(jobs, keys, strict=True))))
        if len(portions) > 1:
            self._refuse_unknown(jobs)
        ids: list[int] = []
        try:
            for portion in portions:
                ids += self._take([arg for job, key in portion for arg in rows.accepted(job, key)])
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
        """End pending ranks, tell running ones to stop; in portions (rows.pieces) and of 2,000 runs. See store.api."""
        ended, running, waiting = 0, [], 0
        for part in rows.pieces(ranks):
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
        """Hold or release pending ranks, in portions (rows.pieces). Raises NotFound."""
        for part in rows.pieces(ranks):
            self.link.run("hold", job, part, "hold" if on else "release", f"{until:.3f}", rows.by(uid))

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
            policy = rows.policy(after) if fields.keys() & {"requeue", "max_fails"} else ""
            args = (record.changes, event["changes"], dumps(event), priority, fields.get("throttle", ""), policy)
            done = bool(self.link.run("update", job, *args))

    def depend(self, job: int, text: str, dep: str, uid: int = NOBODY) -> bool:
        """Another dependency; tried again when somebody else changed the job meanwhile. See store.api."""
        done = 0
        while not done:
            record = self.job(job)
            if record is None:
                raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
            done = self.link.run("depend", job, record.changes, dependent(record, text), dep, dumps(text), rows.by(uid))
        return done > 0

    def requeue(
        self,
        job: int,
        ranks: str,
        hold: bool = False,
        completed: bool = True,
        running: bool = True,
        uid: int = NOBODY,
        changing: Changing | None = None,
    ) -> Requeued:
        """Have ranks run again, 500 that have run in one step. See store.api."""
        how = "hold" if hold else "requeue", int(completed), int(running)
        return requeues.run(self.link, lambda: self.job(job), job, ranks, how, uid, changing)

    def job(self, job: int) -> Job | None:
        """One submission by its id."""
        return next(iter(self.jobs([job])), None)

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""
        if job := self.job(id):
            return job
        base = self.link.do("ZREVRANGEBYSCORE", self._keys.one("arrays"), id, 0, "LIMIT", 0, 1)
        job = self.job(int(base[0])) if base else None
        return job if job and job.id <= id < job.id + job.count else None

    def jobs(self, ids: Iterable[int] | None = None) -> list[Job]:
        """Submissions by id, or all that are alive."""
        wanted = self.link.do("ZRANGE", self._keys.one("alive"), 0, -1) if ids is None else list(ids)
        return codec.readable(codec.job_from_row, self._read("job", codec.JOB_FIELDS, wanted))

    def elements(self, ids: Iterable[int] | None = None) -> list[Element]:
        """Started elements by plain id, or all that hold an allocation."""
        wanted = self._holding() if ids is None else list(ids)
        return codec.readable(codec.element_from_row, self._read("el", codec.ELEMENT_FIELDS, wanted))

    def _holding(self) -> list[bytes]:
        names = self.link.do("SMEMBERS", self._keys.one("nodes"))
        runs = self.link.do("SUNION", *(self._keys.of("runs", name.decode()) for name in names)) if names else ()
        return sorted({member.partition(b":")[0] for member in runs}, key=int)

    def _read(self, kind: str, fields: list[str], ids: Sequence[Any]) -> Iterator[list[str]]:
        for at in range(0, len(ids), READ):
            text = self.link.run("read", kind, len(fields), *fields, *ids[at : at + READ])
            yield from codec.rows(text.decode())

    def steps(self, id: int, run: int) -> list[StepRow]:
        """COMMON steps of a run, by number."""
        found = self.link.do("HGETALL", self._keys.of("steps", id))
        steps = [codec.step_from_json(json.loads(v[1:])) for k, v in found.items() if k.startswith(b"%d." % run)]
        return sorted(steps, key=lambda row: row.step)

    def body(self, job: int) -> bytes | None:
        """The submission's script and environment."""
        found: bytes | None = self.link.do("GET", self._keys.of("body", job))
        return found

    def known(self, id: int) -> bool:
        """Whether this id was ever given out."""
        return 1 <= id <= int(self.link.do("GET", self._keys.one("next")) or 0)

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
            bits: bytes = self.link.do("GET", self._keys.of("bits", f"{kind}:{chunk}")) or b""
            found |= ranks_of(bits, first - chunk * CHUNK, count)
        return found

    # --- RunStore

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit starts. See store.api."""
        answers = self.link.run("start", fence, dumps([rows.start_row(start) for start in starts]))
        return [answer.decode() for answer in answers]

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take a node's report, 500 rows in one step. See store.api."""
        for part in rows.reports(report):
            self.link.run("report", node, epoch, dumps(node), rows.report_text(part))

    def lose(self, fence: int, node: str, reason: str) -> list[int]:
        """Write a node off, 1,000 runs in one step. See store.api."""
        ended: list[int] = []
        more, *ids = self.link.run("lose", fence, node, dumps(node), dumps(reason), 0)
        while more:
            ended += ids
            more, *ids = self.link.run("lose", fence, node, dumps(node), dumps(reason), 1)
        return sorted(ended + ids)

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on. See store.api."""
        return bool(self.link.run("order", id, run, dumps(wanted), "" if uid < 0 else uid))

    def nudge(self, node: str) -> None:
        """Ask the leader to send the node's unanswered leases again."""
        self.link.run("nudge", dumps(node))

    def stop_step(self, id: int, run: int, node: str, signal: int, step: int) -> None:
        """Ask the leader to have one step stopped. See store.api."""
        self.link.run("stop_step", id, run, dumps(node), signal, step)

    # --- NodeStore

    def register(self, spec: NodeSpec, host: str, driver: str, version: str, boot: str) -> Registration:
        """A worker has started. See store.api."""
        texts = [dumps(text) for text in (host, driver, version, boot, _LOST)]
        record = dumps(codec.node_spec_to_json(spec))
        answer: list[Any] = []
        while not answer:  # 1,000 runs that did not survive in one step
            answer = self.link.run("register", spec.name, dumps(spec.name), record, *texts)
        epoch, live = answer
        return Registration(epoch, sorted(rows.member(text) for text in live))

    def heartbeat(self, node: str, epoch: int, stale_s: float, load: float = -1.0) -> Beat:
        """The node is alive. See store.api."""
        now, leases, kills, orders = self.link.run("heartbeat", node, epoch, stale_s, load)
        stops = [(*rows.member(kills[i]), int(kills[i + 1])) for i in range(0, len(kills), 2)]
        wanted = sorted(
            ((*rows.member(orders[i]), json.loads(orders[i + 1])) for i in range(0, len(orders), 2)),
            key=lambda row: row[:2],
        )
        return Beat(float(now), [rows.member(text) for text in leases], sorted(stops), wanted)

    def node(self, name: str) -> Node | None:
        """One node."""
        return next((codec.node_from_row(row) for row in self._read("node", codec.NODE_FIELDS, [name])), None)

    def nodes(self) -> list[Node]:
        """All nodes that ever registered, by name."""
        names = sorted(self.link.do("SMEMBERS", self._keys.one("nodes")))
        return codec.readable(codec.node_from_row, self._read("node", codec.NODE_FIELDS, names))

    def set_node(self, name: str, state: NodeState, reason: str) -> None:
        """Drain, resume or down by an operator. Raises NotFound."""
        self.link.run("set_node", name, str(state), dumps(reason))

    # --- LeaderStore

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease. See store.api."""
        fence: int = self.link.run("lead", holder, dumps(holder), max(1, round(ttl_s * 1000)))
        return fence

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours."""
        self.link.run("resign", holder)

    def snapshot(self) -> Snapshot:
        """All live records, read after the event that they are said to hold from. See store.api.

        Runs are read before submissions: one that ended in between, and is pending again, is then known as a run, or as
        pending, or as both, until its event comes; never as neither, which would lose it. The time is read last: no
        stamp in there lies after it.
        """
        seq, elements, jobs, nodes = self.last_event(), self.elements(), self.jobs(), self.nodes()
        return Snapshot(seq, self.now(), jobs, elements, nodes)

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Dependants to be judged. See store.api."""
        more, found = self.link.run("questions", fence, limit)
        while more and not found and limit > 0:  # a portion may hold nothing but dependants that wait no more
            more, found = self.link.run("questions", fence, limit)
        return [rows.question(row) for row in found]

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts, 100 in one step. See store.api."""
        for at in range(0, len(answers), JUDGE):
            some = answers[at : at + JUDGE]
            flat = (arg for a in some for arg in (a.job, a.dep, f"{a.ready:.6f}", a.corr, a.dead))
            self.link.run("judge", fence, *flat)

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue dependants to be judged. See store.api."""
        for at in range(0, len(jobs), READ):
            self.link.run("ask", fence, *jobs[at : at + READ])

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks in this state, in portions (rows.pieces). See store.api."""
        how = state, code, dumps(reason), int(hopeless)
        return sum(self.link.run("expire", fence, job, part, *how) for part in rows.pieces(ranks))

    def forget(self, fence: int, before: float, limit: int) -> Forgotten:
        """Drop submissions that ended before this time and are filed, in four steps at most. See store.api."""
        dropped, more, left = 0, 1, FORGET
        while more and left and dropped < limit:
            count, more = self.link.run("forget", fence, f"{before:.6f}", min(limit - dropped, READ))
            dropped, left = dropped + count, left - 1
        return Forgotten(dropped, bool(more) or dropped >= limit)

    # --- EventLog

    def events(self, after: str, block_s: float, limit: int) -> list[Event]:
        """Events after an entry; ``limit`` counts entries, and the events of one entry come together. See store.api."""
        block = min(block_s, LONGEST_WAIT_S)
        wait = ("BLOCK", max(1, int(block * 1000))) if block > 0 else ()
        answer = self.link.wait(block, "XREAD", "COUNT", limit, *wait, "STREAMS", self._keys.one("events"), after)
        return rows.events(answer[0][1]) if answer else []

    def last_event(self) -> str:
        """Id of the newest entry."""
        return self._edge("XREVRANGE", "+", "-")

    def first_event(self) -> str:
        """Id of the oldest entry kept."""
        return self._edge("XRANGE", "-", "+")

    def _edge(self, command: str, start: str, stop: str) -> str:
        found = self.link.do(command, self._keys.one("events"), start, stop, "COUNT", 1)
        return found[0][0].decode() if found else "0"

    def cursor(self, consumer: str) -> str:
        """Where a named consumer stands."""
        return (self.link.do("HGET", self._keys.one("cursors"), consumer) or b"0").decode()

    def set_cursor(self, consumer: str, seq: str) -> None:
        """Move a consumer's cursor on; never back."""
        self.link.run("set_cursor", consumer, seq)

    def trim(self) -> int:
        """Drop entries that every named consumer has passed. See store.api."""
        count: int = self.link.run("trim")
        return count

    # --- Store

    def close(self) -> None:
        """Let go of connections."""
        self.link.close()

    def ping(self) -> float:
        """Round trip to the server in seconds. Raises Unreachable."""
        begin = time.perf_counter()
        self.link.do("PING")
        return time.perf_counter() - begin
