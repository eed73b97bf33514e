"""Events: every transition, as it stands in the stream. One entry carries one script's batch of rows.

An event is ``(seq, at, kind, data)``: ``seq`` is the stream id, shared by all events of one script (also the cause id
of what follows from it), ``at`` server time in seconds, ``data`` the JSON value described below. Replaying all entries
gives the records again (lifecycle.replay, tests/contract); a job's own story is the rows that name it. Where a person
asked for a hold, release, update, depend, revive or kill, "uid" says who.

======== ==============================================================================================================
kind     data
======== ==============================================================================================================
submit   {"job": <Job as asjson.job_to_json>}
judge    {"rows": [[job, ready], ...],            ready as in Job.ready
          "deps": [dep, ...],                     the Job.dep of each row
          "gates": [[corr, dead], ...]}           its Job.corr and Job.dead; with "requeued": <job>, these verdicts
                                                  were taken back, since that one runs again
hold     {"job", "ranks", "until"}                ranks as range text; now held; until: released by itself then, 0 = not
release  {"job", "ranks", "until": 0}             now free
cancel   {"job", "ranks", "uid", "done": bool}    these PENDING ranks ended as Cancelled, code 320, without a run;
                                                  done: the whole submission has now ended; with "state", "code" and
                                                  "reason" where the leader ended them (uid 0)
update   {"job", "ranks", "set": {field: value},  fields changed for these ranks; changes: Job.changes after it
          "changes"}
depend   {"job", "text", "dep", "ready",          another dependency, "" = none: as typed, as Job.dep and Job.ready;
          "changes"}                              changes: Job.changes after it
start    {"fence", "rows": [[id, job, rank, run, [[node, cpus, memory, {gres: [slots]}], ...]], ...],
          "guests"}                               of these, the ids of runs with guests (store.api.Start); absent: none
begin    {"node", "rows": [[id, job, run, at], ...]}                     Starting -> Running
end      {"node", "rows": [[id, job, rank, run, state, code, began_at, ended_at, reason, cpu_s, memory_peak,
                           memory_deaths, done], ...]}  done: the whole submission has now ended;
                                                  memory_deaths: absent in events of before
again    as end, but the last value: "held"       the run ended and is pending again (held)
revive   {"job": <Job>, "ranks", "held": bool}    these ranks had ended and are pending again; the whole record after it
move     {"node", "rows": [[id, job, run, state, at, uid?], ...]}        Suspended, or Running again; by whom, if known;
                                                  or Completing: the script has ended, other nodes are cleaning up
step     {"node", "rows": [<StepRow as asjson.step_to_json>, ...]}        a COMMON step began or ended
kill     {"rows": [[id, run, node, signal], ...]} asked to stop; the leader tells the node. signal 0 = TERM, grace, KILL
                                                  with "then" (requeue, hold): they are pending again when they have;
                                                  with "uid" where somebody asked
order    {"rows": [[id, run, node, {...}], ...]}  all that is wanted of a run (store.api.Wanted)
kill_step {"rows": [[id, run, node, signal, step], ...]}  one COMMON step of a run is asked to stop; step 1: a guest
                                                  (store.api.Start) is
node     {"node": <Node as asjson.node_to_json>}   registered, lost, drained, resumed
nudge    {"node"}                                 its leases stand unanswered: the leader signs and sends them again
plan     {}                                      the leader noted what its last plan says (store.api ``noted_plan``)
lead     {"fence", "holder"}
forget   {"jobs": [id, ...]}                      left the window; only the bits remain
======== ==============================================================================================================
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


def asked_by(uid: int) -> dict[str, Any]:
    """That somebody asked, as part of an event's data; nothing where nobody did (-1)."""
    return {"uid": uid} if uid >= 0 else {}


class StartRow(NamedTuple):
    """A row of ``start``: a run was given an allocation."""

    id: int
    job: int
    rank: int
    run: int
    allocation: list[list[Any]]  # model.asjson.allocation_from_json reads it


class EndRow(NamedTuple):
    """A row of ``end`` or ``again``: a run is over."""

    id: int
    job: int
    rank: int
    run: int
    state: str
    code: int
    began_at: float
    ended_at: float
    reason: str
    cpu_s: float
    memory_peak: int
    memory_deaths: int  # 0 in events of before they were counted
    last: bool  # of ``end``: the whole submission has now ended; of ``again``: it is pending and held


#: fields of an end in events of before memory deaths were counted
_OLD_END = len(EndRow._fields) - 1


def starts(data: dict[str, Any]) -> Iterator[StartRow]:
    """Return the rows of a start event."""
    return map(StartRow._make, data["rows"])


def ends(data: dict[str, Any]) -> Iterator[EndRow]:
    """Return the rows of an end or again event."""
    for row in data["rows"]:
        yield EndRow._make([*row[:-1], 0, row[-1]] if len(row) == _OLD_END else row)


class Event(NamedTuple):
    """One entry of the stream."""

    seq: str
    at: float
    kind: str
    data: dict[str, Any]


#: the highest second number of a stream id
_LAST_SEQ = 2**64 - 1


class Position(NamedTuple):
    """A stream id as two numbers, so that it can be compared: ``1700000000000-3``."""

    ms: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """From a stream id; ``"0"`` is the beginning."""
        ms, _, seq = text.partition("-")
        return cls(int(ms), int(seq or 0))

    @property
    def before(self) -> "Position":
        """The last position before this one; the beginning has none before it."""
        if self.seq:
            return Position(self.ms, self.seq - 1)
        return Position(self.ms - 1, _LAST_SEQ) if self.ms else self

    @property
    def text(self) -> str:
        """The stream id."""
        return f"{self.ms}-{self.seq}"
