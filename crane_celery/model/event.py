"""Events: every transition, as it stands in the stream. One entry carries one script's batch of rows.

An event is ``(seq, at, kind, data)``: ``seq`` is the stream id, shared by all events of one script (also the cause id
of what follows from it), ``at`` server time in seconds, ``data`` the JSON value described below. Replaying all entries
gives the records again (lifecycle.replay, tests/contract); a job's own story is the rows that name it.

======== ==============================================================================================================
kind     data
======== ==============================================================================================================
submit   {"job": <Job as codec.job_to_json>}
judge    {"rows": [[job, ready], ...],            ready as in Job.ready
          "deps": [dep, ...]}                     the Job.dep of each row
hold     {"job", "ranks", "until"}                ranks as range text; now held; until: server time at which the leader
                                                  releases them, 0 or absent = never
release  {"job", "ranks"}                         now free
cancel   {"job", "ranks", "uid", "done": bool}    these PENDING ranks ended as Cancelled, code 320, without a run;
                                                  done: the whole submission has now ended; "why": "max_fails"
                                                  when so many elements failed
expire   {"job", "ranks", "state", "code", "reason", "done"}  like cancel, by the leader: Deadline, or Cancelled
update   {"job", "ranks", "uid", "set": {field: value}, "changes"}  changes: Job.changes as it now is; a priority set for
                                                  all ranks is Job.priority too
depend   {"job", "text", "dep", "ready"}          another dependency, "" = none
start    {"fence", "rows": [[id, job, rank, run, [[node, cpus, memory, {gres: [slots]}], ...]], ...]}
begin    {"node", "rows": [[id, job, run, at], ...]}                     Starting -> Running
end      {"node", "rows": [[id, job, rank, run, state, code, began_at, ended_at, reason, cpu_s, memory_peak, done],
                           ...]}                  done: the whole submission has now ended
again    {"node", "rows": [[id, job, rank, run, state, code, began_at, ended_at, reason, cpu_s, memory_peak, held], ...]}
                                                  the run ended as an ``end`` says, and its rank is pending again; no
                                                  counter moves, nothing that waits on it is told
revive   {"job": <Job as it now is>, "ranks", "held": bool, "uid"}       these ENDED ranks are pending again
requeue  {"rows": [[id, run, node, "requeue" | "hold"], ...], "uid"}     asked to stop as by a kill with signal 0; whatever
                                                  its end, it is pending again afterwards (held with "hold")
move     {"node", "rows": [[id, job, run, state, at], ...]}              Running <-> Suspended, told by the node
order    {"rows": [[id, run, node, {"limit", "deadline", "suspend"}], ...]}  what the run shall be like: all that is in
                                                  force; the leader tells the node. limit: seconds or null
step     {"node", "rows": [<StepRow as codec.step_to_json>, ...]}        a COMMON step began or ended
kill     {"rows": [[id, run, node, signal], ...]} asked to stop; the leader tells the node. signal 0 = TERM, grace, KILL
kill_step {"rows": [[id, run, node, signal, step], ...]}  one COMMON step of a run is asked to stop
node     {"node": <Node as codec.node_to_json>}   registered, lost, drained, resumed
nudge    {"node"}                                 its leases stand unanswered: the leader signs and sends them again
lead     {"fence", "holder"}
forget   {"jobs": [id, ...]}                      left the window; only the bits remain
======== ==============================================================================================================
"""

from typing import Any, NamedTuple


class Event(NamedTuple):
    """One entry of the stream."""

    seq: str
    at: float
    kind: str
    data: dict[str, Any]


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
    def text(self) -> str:
        """The stream id."""
        return f"{self.ms}-{self.seq}"
