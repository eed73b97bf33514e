"""The leader's loop, one turn at a time: events in, plan, commit, messages out (design.md section 4).

A turn reads what has happened, puts dependency questions, plans, commits in chunks, sends, and does a chore. It blocks
only in reading the event stream and only when nothing is left to do, so a submission wakes it at once; a blocking read
is never shorter than a second. What becomes ready at a time (begin times, dependency delays) ends a read exactly then;
where other events end a read within the last second before that time, the start may come up to a second late: never
early, and never at the price of a timer under a second.

Time is the server's (store.clock): every event read is a lower bound of it, so whatever an event says has happened lies
in the past here, too.

After any doubt (takeover, unknown outcome of a commit, a gap in the stream, a refusal that no event explains, the
server's clock set back) the view is made again from a snapshot, and everything unanswered is sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from beat.dispatch import Dispatcher
from beat.isolation import Isolation, guarded
from beat.reaper import Reaper
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.event import Position
from crane_celery.model.node import Partition
from crane_celery.model.states import DEADLINE, TERMINATED, Reason, State
from crane_celery.sched.choices import moves
from crane_celery.sched.draining import Drain
from crane_celery.sched.entry import Run
from crane_celery.sched.noted import decode as decode_noted
from crane_celery.sched.noted import encode as encode_noted
from crane_celery.sched.noted import noted
from crane_celery.sched.plan import Config, Placement, Plan
from crane_celery.sched.prioritise import shares
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.todo import Todo, due
from crane_celery.sched.usage import Usage
from crane_celery.sched.view import View
from crane_celery.store.api import Answer, Question, Start, Store
from crane_celery.store.clock import ServerClock

log = logging.getLogger(__name__)

#: events read at once; a full read is followed by another before anything is planned
_READ = 2000
#: starts committed by one script call: keeps the server's pause to a few milliseconds
_CHUNK = 128
_QUESTIONS = 200
#: a blocking read is never shorter
_SHORTEST_S = 1.0
#: fair shares are taken anew so often
_RANK_S = 30.0
#: safety net: dependencies are asked about so often even when no event suggests it
_ASK_S = 2.0
#: what the last plan says is noted so often while events come
_NOTE_S = 0.25
#: the server's time is measured again so often
_MEASURE_S = 10.0


class Loop:
    """One leadership: from the moment the lease was won until it is lost."""

    def __init__(
        self,
        store: Store,
        partitions: dict[str, Partition],
        fence: int,
        dispatcher: Dispatcher,
        reaper: Reaper,
        clock: ServerClock,
        config: Config | None = None,
        usage: Usage | None = None,
    ) -> None:
        self.fence = fence
        self._store = store
        self._partitions = partitions
        self._dispatcher = dispatcher
        self._reaper = reaper
        self._clock = clock
        self._config = config or Config()
        self._usage = usage or Usage(0.0)
        self._ranked_at = 0.0
        self._busy = True  # something is left to do: do not block
        self._plan = True
        self._ask = True
        self._asked_at = 0.0
        self._last: Plan | None = None  # what it turned down need not be looked at again for nothing
        self._noted = store.noted_plan()
        self._unsaid = False  # a plan was made since
        self._noted_at = 0.0
        #: nodes drained by the last plan: they outlive doubts about its starts, and the leader before
        self._drains: Sequence[Drain] = decode_noted(self._noted).drains
        self._refused = 0  # turns in a row in which starts were refused and none accepted
        self._isolation = Isolation()
        self.view, self._cursor = self._rebuilt()

    def turn(self, at_most_s: float) -> None:
        """One turn; waits for events at most this long (but not less than a second) when there is nothing to do.

        Raises StaleFence when another leads, Unreachable when the server does not answer, Inconsistent when ``rebuild``
        is to be called.
        """
        quiet = not self._follow(0.0 if self._busy or self._unsaid else self._patience(at_most_s))
        if self._busy:
            return
        if self._isolation.needs_repair(self._clock.now()):
            raise Inconsistent
        todo = self._note(self.view.take_todo())
        guarded("asking about dependencies failed", self._inquire)
        now = self._clock.now()
        self.view.advance(now)
        self._plan = self._plan or self.view.todo.plan
        runs = self._start(now) if self._plan else []
        if todo.due or self.view.todo.due:
            guarded("ending what is due failed", self._settle_due, now)
        guarded("ending what can never start failed", self._end_hopeless, now)
        if runs or todo.kills or todo.orders or todo.resend or self._dispatcher.behind:
            self._dispatcher.send(self.view, self.fence, now, runs, todo.kills, todo.resend, todo.orders)
        self._note_plan(now, quiet and not self._plan)
        guarded("a chore of the leader failed", self._reaper.turn, self._cursor, now)
        self._busy = self._plan or self._ask

    def _patience(self, at_most_s: float) -> float:
        """Return the seconds to wait for events: until whatever comes first, a second at least, or not at all."""
        usual_s = max(_SHORTEST_S, min(at_most_s, self._reaper.left_s))
        due = self._due_at()
        self._measure(_MEASURE_S if due == inf else _SHORTEST_S)
        left_s = due - self._clock.now()
        if left_s <= 0:
            return 0.0
        # never leave a rest of less than a second for the next read
        return max(_SHORTEST_S, left_s) if left_s <= usual_s + _SHORTEST_S else usual_s

    def _due_at(self) -> float:
        """Server time at which there is something to do though nothing has happened; infinity for never."""
        view, times = self.view, [inf]
        if view.next_ready is not None:
            times.append(view.next_ready)
        if view.waits.next_doom is not None:
            times.append(view.waits.next_doom + self._config.invalid_depend_grace_s)
        if view.watches:
            times.append(self._asked_at + _ASK_S)
        return min(times)

    def _measure(self, every_s: float) -> None:
        """Measure the server's time again. Raises Inconsistent when its clock was set back: times that the view took
        for past have not come now."""
        before = self._clock.set_back
        self._clock.refresh(every_s)
        if self._clock.set_back != before:
            raise Inconsistent

    def _follow(self, block_s: float) -> bool:
        """Apply what has happened; return whether anything has. ``_busy`` is set when there is more to read first."""
        events = self._store.events(self._cursor, block_s, _READ)
        self._isolation.apply(self.view, events)
        if events:
            self._cursor = events[-1].seq
            self._clock.stamped(events[-1].at)
        self._busy = len(events) >= _READ
        return any(event.kind != "plan" for event in events)

    def _note(self, todo: Todo) -> Todo:
        self._plan = self._plan or todo.plan
        overdue = self.view.watches and self._clock.now() >= self._asked_at + _ASK_S
        self._ask = self._ask or todo.ask or overdue or bool(self.view.waits.turn)
        return todo

    def _inquire(self) -> None:
        """Judge one chunk of dependants; verdicts come back as events."""
        if not self._ask:
            return
        self._asked_at, self._ask = self._clock.now(), False
        if self.view.waits.turn:
            self._store.ask(self.fence, sorted(self.view.waits.turn))
            self.view.waits.turn.clear()
        questions = self._store.questions(self.fence, _QUESTIONS)
        if questions:
            self._store.judge(self.fence, [self._answer(question) for question in questions])
        self._ask = bool(questions)  # a store may give fewer than asked for while more wait
        self._plan = self._plan or bool(questions)

    def _answer(self, question: Question) -> Answer:
        waits, job = self.view.waits, question.job
        facts = {block: waits.facts(job, f) if block.kind == "singleton" else f for block, f in question.facts}
        verdict = judge(decode(question.dep), facts)
        return Answer(job, encode(verdict.dep), verdict.ready, verdict.corr, verdict.dead)

    def _end_hopeless(self, now: float) -> None:
        """Cancel what can never start, once its grace is over, with all that waits for it in vain, in one pass. What a
        requeue has given another chance meanwhile stays, and so does what waits for it."""
        how = (State.CANCELLED, TERMINATED, Reason.NEVER)
        roots = self.view.waits.hopeless(now - self._config.invalid_depend_grace_s)
        ended = {
            job: some
            for job, some in roots.items()
            if self._store.expire(self.fence, job, some.text, *how, hopeless=True)
        }
        for job, some in self.view.waits.lost(ended).items():
            if left := some - ended.get(job, RangeSet()):
                self._store.expire(self.fence, job, left.text, *how)

    def _settle_due(self, now: float) -> None:
        """Settle what time alone decides: holds that end, deadlines of what is pending. It comes back as events."""
        self.view.todo.due = False
        for each in list(due(self.view.entries.values(), now)):
            if each.what == "release":
                self._store.hold(each.job, each.ranks.text, False)
            else:
                self._store.expire(self.fence, each.job, each.ranks.text, State.DEADLINE, DEADLINE, "deadline reached")

    def _rank(self, now: float) -> None:
        """Take the fair shares anew, now and then."""
        if now >= self._ranked_at + _RANK_S:
            self._ranked_at = now
            ranking = replace(self._config.ranking, shares=shares(self._usage.now(now)))
            if ranking != self._config.ranking:
                self._config, self._last = replace(self._config, ranking=ranking), None

    def _start(self, now: float) -> list[Run]:
        """Plan and commit; returns the runs that were accepted."""
        self._rank(now)
        if self.view.unsettled:
            self._last, self.view.unsettled = None, False
        plan = self._isolation.plan(self.view, now, self._config, self._last, self._drains)
        self._last, self._drains = plan, plan.drains
        self.view.pool.freed.clear()
        self.view.todo.plan = False
        self._plan = plan.partial
        guarded("moving jobs to another shape failed", self._move, plan, now)
        runs: list[Run] = []
        for at in range(0, len(plan.starts), _CHUNK):
            runs += self._commit(plan.starts[at : at + _CHUNK])
        if len(runs) < len(plan.starts):
            self._doubt(len(plan.starts) - len(runs), bool(runs))
        else:
            self._refused = 0
        self._unsaid = True
        return runs

    def _move(self, plan: Plan, now: float) -> None:
        """Move what found no room to a shape in which it can start at once. It comes back as events."""
        for move in moves(self.view, plan, now):
            self._store.update(move.job, move.ranks.text, move.fields)

    def _note_plan(self, now: float, quiet: bool) -> None:
        """Note what the last plan says, where that has changed, for commands and for the next leader.

        While events come, not more often than every ``_NOTE_S``: each start changes the numbers.
        """
        self._unsaid = self._unsaid and self._last is not None
        if not self._unsaid or self._last is None or not (quiet or now >= self._noted_at + _NOTE_S):
            return
        text, self._unsaid = encode_noted(noted(self._last)), False
        if text != self._noted:
            self._store.note_plan(self.fence, text)
            self._noted, self._noted_at = text, now

    def _commit(self, starts: Sequence[Placement]) -> list[Run]:
        invites = self._dispatcher.guests
        answers = self._store.start(self.fence, [Start(*each, invites and len(each.allocation) > 1) for each in starts])
        for start, answer in zip(starts, answers, strict=True):
            if answer:
                log.info("start of %d refused: %s", start.job + start.rank, answer)
        guests = {each.job + each.rank for each in starts if invites and len(each.allocation) > 1}
        return self.view.started((s for s, answer in zip(starts, answers, strict=True) if not answer), guests)

    def _doubt(self, refused: int, progress: bool) -> None:
        """Starts were refused. The events that explain it are in the stream by now: plan again after reading them;
        if nothing but refusals comes of that, the view is wrong."""
        self._refused = 0 if progress else self._refused + 1
        self._plan = True
        self._last = None
        if self._refused > 1:
            log.warning(
                "%d starts were refused without any event to explain it: reading the whole state again", refused
            )
            raise Inconsistent

    def rebuild(self) -> None:
        """Read the whole state again."""
        self.view, self._cursor = self._rebuilt()
        self._busy = self._plan = self._ask = True
        self._asked_at = self._ranked_at = 0.0
        self._last = None

    def gap(self) -> bool:
        """Return whether unread events were trimmed from the stream. Call it after a pause, before a read."""
        return Position.parse(self._store.first_event()) > Position.parse(self._cursor)

    def _rebuilt(self) -> tuple[View, str]:
        self._clock.sync()
        shot = self._store.snapshot()
        self._clock.stamped(shot.now)
        view = view_of(self._partitions, shot.now, shot.jobs, shot.elements, shot.nodes)
        view.work.usage = self._usage
        self._isolation.rebuilt(view)
        return view, shot.seq


class Inconsistent(Exception):
    """The view does not agree with the store."""
