"""The in-memory twin's requeue: ends are taken back, and with them all that they had caused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crane_celery.errors import NotFound
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import worse
from crane_celery.model import tagged
from crane_celery.model.asjson import job_to_json
from crane_celery.model.dependency import Block, Facts, blocks_of, decode, encode, undecided, unstamped
from crane_celery.model.event import asked_by
from crane_celery.model.job import WAITING, Element, Job
from crane_celery.model.overrides import dependent, update_of
from crane_celery.model.states import State
from crane_celery.store.api import NOBODY, Changing, Requeued
from crane_celery.store.memory_jobs import MemoryJobs, Way, span_of

_RANKS = ("ended", "ok")


class MemoryRequeue(MemoryJobs):
    """See store.api.JobStore.requeue."""

    def _record(self, job: int) -> Job:
        record = self._records.jobs.get(job)
        if not record:
            raise NotFound(f"there is no job {job}; see cqueue and cacct for what there is")
        return record

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
        """Have ranks run again. See store.api."""
        with self._lock:
            record = self._record(job)
            chosen = RangeSet.parse(ranks) if ranks else RangeSet.span(0, record.count - 1)
            chosen -= RangeSet.parse(record.pending)
            live = [each for each in self._live(record) if running and each.rank in chosen]
            over = RangeSet()
            for (_, state, _), some in self._ways.get(job, {}).items():
                over |= some & chosen if completed or state != State.COMPLETED else RangeSet()
            ran = RangeSet.of(e.rank for e in self._records.elements.values() if e.job == job) & over
            if changing and (over or live):
                record = self._change(record, changing, uid)
            told = self._stop_for(live, "hold" if hold else "requeue", asked_by(uid))
            if over:
                self._revive(record, over, ran, hold, asked_by(uid))
            return Requeued(len(over), len(over) - len(ran), sorted(told))

    def _change(self, job: Job, changing: Changing, uid: int) -> Job:
        """Set what is changed together with a requeue."""
        if changing.dependency:
            self._refuse_unknown(changing.dependency[1])
        for ranks, fields in changing.fields:
            self._tell(("update", asked_by(uid) | update_of(self._record(job.id), ranks, fields)))
        if changing.dependency:
            self._depend(self._record(job.id), *changing.dependency, uid)
        return self._record(job.id)

    def _depend(self, job: Job, text: str, dep: str, uid: int) -> None:
        """Give it another dependency, "" = none."""
        self._stop_waiting(job)
        self._asked.discard(job.id)
        self._resolve.discard(job.id)
        ready = WAITING if dep else 0.0
        data = {"job": job.id, "text": text, "dep": dep, "ready": ready, "changes": dependent(job, text)}
        self._tell(("depend", asked_by(uid) | data))
        if dep:
            self._wait_for(job.id, dep)

    def _stop_for(self, runs: list[Element], then: str, by: Mapping[str, int]) -> list[int]:
        rows = []
        for e in sorted(runs, key=lambda e: e.id):
            if not e.cancelled:
                node = e.allocation[0].node
                self._kills.setdefault(node, {})[e.id, e.run] = 0
                rows.append([e.id, e.run, node, 0])
        if rows:
            self._tell(("kill", {**by, "then": then, "rows": rows}))
        return [e.id for e in runs]

    def _revive(self, job: Job, over: RangeSet, ran: RangeSet, hold: bool, by: Mapping[str, int]) -> None:
        """Ranks that have ended, of which these ``ran``, are pending again."""
        again, ids = job.again, over.shifted(job.id)
        runs: dict[int, list[int]] = {}
        for rank in ran:
            runs.setdefault(self._records.elements[job.id + rank].run, []).append(rank)
        for run, some in sorted(runs.items()):
            again = tagged.tag(again, RangeSet.of(some), run)
        for kind in ("ended", "ok", "lost"):
            self._bits[kind] -= ids
        self._bits["began"] -= (over - ran).shifted(job.id)
        ways = {way: left for way, those in self._ways[job.id].items() if (left := those - over)}
        taken = {way: len(those & over) for way, those in self._ways[job.id].items()}
        gone = sum(n for (ran_, _, _), n in taken.items() if not ran_)
        self._ways[job.id] = ways
        self._lapsed[job.id] = self._lapsed.get(job.id, RangeSet()) - over
        self._gone[job.id] = self._gone.get(job.id, 0) - gone
        state, code = _worst(ways)
        record = replace(
            job,
            pending=(RangeSet.parse(job.pending) | over).text,
            held=(RangeSet.parse(job.held) | over).text if hold else job.held,
            again=again,
            ended=job.ended - len(over),
            gone=job.gone - gone,
            ok=job.ok - sum(n for (_, state, _), n in taken.items() if state == State.COMPLETED),
            worst_code=code,
            worst_state=state,
            ended_at=0.0,
        )
        self._done.pop(job.id, None)
        record = self._judge_anew(record)
        self._tell(("revive", {**by, "job": job_to_json(record), "ranks": over.text, "held": hold}))
        self._reopen(job.id)

    def _judge_anew(self, job: Job) -> Job:
        """A submission that runs again: what it waits for is looked at anew as well."""
        before = decode(job.dep) if job.dep else None
        after = unstamped(before, self._facts, ends=True) if before else None
        if after is None or after == before:
            return job
        dep = encode(after)
        self._ask_again(job.id, dep)
        return replace(job, dep=dep, ready=WAITING, corr="", dead="", judged_at=self.now())

    def _ask_again(self, job: int, dep: str) -> None:
        self._asked.discard(job)
        self._wait_for(job, dep)

    def _reopen(self, of: int) -> None:
        """Take back the verdicts on dependants that a requeue has made untrue."""
        rows: list[tuple[int, float]] = []
        deps: list[str] = []
        for id_ in self._dependants(of):
            job = self._records.jobs.get(id_)
            if not job or not job.dep or not job.pending:
                continue
            before = decode(job.dep)
            after = unstamped(before, self._facts)
            gated = job.ready != WAITING or job.dead
            if after != before or (gated and any(b.kind == "aftercorr" and b.job == of for b in blocks_of(job.dep))):
                rows.append((id_, WAITING))
                deps.append(encode(after))
            elif self._is_open(job):
                self._asked.discard(id_)
                self._resolve.add(id_)
        if rows:
            self._tell(
                (
                    "judge",
                    {
                        "requeued": of,
                        "rows": [list(row) for row in rows],
                        "deps": deps,
                        "gates": [["", ""]] * len(rows),
                    },
                )
            )
        for (id_, _), dep in zip(rows, deps, strict=True):
            self._ask_again(id_, dep)

    def _dependants(self, of: int) -> list[int]:
        """In the order in which a server lists them."""
        final, open_ = self._final.get(of, set()), self._waits.get(of, set())
        return [*sorted(final, reverse=True), *sorted(open_)]

    @staticmethod
    def _is_open(job: Job | None) -> bool:
        return job is not None and job.pending != "" and undecided(job.dep, job.ready, job.judged_at, job.corr)

    def _facts(self, block: Block) -> Facts:
        span = span_of(block)
        began, ended, ok = (self._count(kind, span) for kind in ("began", "ended", "ok"))
        last = block.last and self._last_ok.get(block.job, ok == block.count)
        facts = Facts(began, ended, ok, self._moment(block), self._count("lost", span), last)
        if block.kind != "aftercorr":
            return facts._replace(lost=facts.lost if block.kind == "afterexcept" else 0)
        ranks = [(self._bits[kind] & span).shifted(-block.first) for kind in _RANKS]
        return facts._replace(lost=0, ended_ranks=ranks[0], ok_ranks=ranks[1])

    def _moment(self, block: Block) -> float:
        """When the block's ids began or ended last; of an array's part the array's latest stands in."""
        after = block.kind == "after"
        e = self._records.elements.get(block.first) if block.count == 1 else None
        if e:
            return e.began_at if after and e.began_at > 0 else e.ended_at
        return self._moved.get(block.job, (0.0, 0.0))[0 if after else 1]


def _worst(ways: Mapping[Way, RangeSet]) -> tuple[State | None, int]:
    """The worst state and the highest exit code of the ends that are left."""
    worst: State | None = None
    for _, state, _ in ways:
        worst = worse(worst, State(state))
    return worst, max((code for _, _, code in ways), default=0)
