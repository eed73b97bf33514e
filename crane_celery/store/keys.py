"""Every key of a cluster, made in one place for Python and for Lua.

All keys start with the cluster's prefix, a hash tag such as ``{local}:``, so one cluster lives in one slot. "Window":
the key goes when ``forget`` drops its submission.

============ ====== =============================================================== ================== ==============
key          type   holds                                                           written by         lives
============ ====== =============================================================== ================== ==============
next         string the last job id given out                                       submit             for ever
job:<id>     hash   a submission: codec.JOB_FIELDS; also ``array`` (1 = array),     submit, cancel,    window
                    ``gone`` (cancelled while pending; ``lapsed``: of these, ranks  hold, judge,
                    that had run before; ``unrun``: how they ended, see             start, report,
                    lib/unrun.lua), ``ways`` (how many runs ended in which way,     lose, update,
                    see lib/jobs.lua), ``top`` (highest rank that ever started),    requeue, expire
                    ``waits`` (w: others wait on all of it, p: on a part),
                    ``bt``/``et`` (time of the latest begin/end), ``lok`` (1 = the
                    element that ended last Completed), ``uid part throttle
                    policy``
spec:<id>    string its JobSpec, JSON; never changes                                submit             window
body:<id>    string script, arguments, environment: store.bodies                    submit             window
shared:<d>   hash   a piece of bodies by its SHA-256: ``b`` its bytes, ``n`` how    submit, forget     while n > 0
                    many have it, ``u`` whose budget it counts for
el:<id>      hash   a started element by its plain id: codec.ELEMENT_FIELDS; also   start, report,     window
                    ``node`` (where its script runs), ``wide`` (1 = more nodes);    cancel, lose
                    ``ordered`` (somebody said what is wanted of it);
                    of one with guests what lib/guests.lua says
live:<id>    zset   ranks of an array that hold an allocation, by rank              start, report      array's end
steps:<id>   hash   COMMON steps of an element: "run.step" -> flag (1 = ended) JSON report             window
alive        zset   submissions with anything pending or holding, by id             submit, ends       for ever
arrays       zset   arrays, by id: finds the array of a plain id                    submit, forget     for ever
done         zset   submissions that ended, by time                                 ends, forget       for ever
ends         hash   submissions that ended -> the event that says so                ends, forget       for ever
idem:<hash>  string idempotency key -> first id                                     submit             a day
bits:<k>:<c> string one bit per job id, 2^20 ids a chunk c; k = open ended ok lost  begins, ends       for ever
waits:<id>   zset   submissions that wait on this one, by id; by id x -1 those of   submit, judge      window
                    which the verdict is final unless this one is requeued
reopen       hash   submissions that were requeued and have many dependants -> the  requeue, questions for ever
                    score in ``waits`` from which on verdicts are to be taken back
spread       zset   submissions whose dependants are to be queued; the score is     ends, questions    for ever
                    the dependant to go on after
resolve      zset   dependants to be judged, by id                                  submit, questions  for ever
asked        zset   dependants given to the leader and not judged yet               questions, judge   for ever
nodes        set    names of all nodes that ever registered                         register           for ever
node:<name>  hash   codec.NODE_FIELDS; also ``drain`` (reason of a drain, JSON),    register, nodes    for ever
                    ``off`` (1 = down by an operator), ``compare`` (1 = it is to
                    register again)
runs:<name>  set    "id:run" that hold something on this node                       start, ends        for ever
leases:<n>   zset   "id:run" given to this node and not begun, by time of the lease start, report      for ever
orders:<n>   hash   "id:run" on this node -> what is wanted of it (JSON)            order, report,     for ever
                                                                                    ends
submitted    hash   uid, "uid:partition" -> submissions that have not ended;        submit, ends,      for ever
                    "bytes:uid" -> bytes of their specifications and bodies         forget
kills:<name> hash   "id:run" asked to stop on this node -> signal                   cancel, ends       for ever
fence        string the fence of the latest leader; only grows                      lead               for ever
leader       string who leads, with a time to live                                  lead, resign       lease
plan         string what the last plan says: reasons, drained nodes                 note_plan          for ever
events       stream the transitions: k kinds, t time, v list of their data          every verb         trim
cursors      hash   consumer -> event that it has passed                            set_cursor         for ever
passed:<c>   stream of a consumer: one entry, whose id is that of the event         set_cursor         for ever
scratch<n>   string what a script adds bits with                                    cancel, ends       one script
full         string bytes left on the server's disk, while that is less than kept   space              half a minute
============ ====== =============================================================== ================== ==============
"""

from __future__ import annotations

import hashlib
import re

_ONE = (
    *("next", "alive", "arrays", "done", "ends", "spread", "reopen", "resolve", "asked"),
    *("nodes", "fence", "leader", "plan", "events", "cursors", "full", "submitted", "scratch"),
)
#: ids of which one key holds the bits (lib/bits.lua)
CHUNK = 1 << 20
_MANY = (
    "job",
    "spec",
    "body",
    "shared",
    "el",
    "live",
    "steps",
    "idem",
    "bits",
    "waits",
    "node",
    "runs",
    "leases",
    "kills",
    "orders",
    "passed",
)


class Keys:
    """Names of one cluster's keys: ``keys.one("next")``, ``keys.of("job", 36)``."""

    __slots__ = ("prefix",)

    def __init__(self, prefix: str) -> None:
        """``prefix`` should be one hash tag, ``{local}``; the colon after it is added where it is missing."""
        self.prefix = prefix if prefix.endswith(":") else prefix + ":"

    def one(self, name: str) -> str:
        """A key of which a cluster has one. ValueError for a name that is not in the table."""
        if name not in _ONE:
            raise ValueError(f"no key {name!r} in the layout")
        return self.prefix + name

    def of(self, name: str, of: int | str) -> str:
        """The key of one record. ValueError for a name that is not in the table."""
        if name not in _MANY:
            raise ValueError(f"no key {name!r} in the layout")
        return f"{self.prefix}{name}:{of}"


def idempotency(key: str) -> str:
    """Return what of a caller's key gets into a key's name: bounded, and free of the caller's characters."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40] if key else ""


def lua(source: str) -> str:
    """Lua definitions of the keys that ``source`` uses: ``key_next``, ``key_job(id)``; ``P`` is the prefix."""
    used = set(re.findall(r"\bkey_(\w+)", source))
    ones = [f"local key_{name} = P .. '{name}'" for name in _ONE if name in used]
    many = [f"local function key_{name}(of) return P .. '{name}:' .. of end" for name in _MANY if name in used]
    return "\n".join([*ones, *many])
