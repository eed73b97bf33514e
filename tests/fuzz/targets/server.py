"""Define what the server holds, as each of its readers gets it: entries of the event stream, and records of snapshots.

Only daemons write them, but one bad record must cost itself alone: faults may be counted, nothing may come out of a
reader, and its next plan, answer or report is made all the same.
"""

import atexit
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from beat.isolation import Isolation, guarded
from crane_celery.flower_bridge.board import Board
from crane_celery.gateway.waiters import moved_safely
from crane_celery.grammar.printable import shown_record
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.model.dependency import decode, judge
from crane_celery.model.event import Event
from crane_celery.model.node import Partition
from crane_celery.sched.plan import Config
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.todo import due
from crane_celery.sched.view import View
from crane_celery.service.query.live_records import Live
from crane_celery.store import codec, script_args
from crane_celery.store.api import Snapshot, Store
from tests.fuzz.source import Source
from tests.fuzz.strange import mutated
from tests.fuzz.target import Target

_folder = tempfile.mkdtemp(prefix="crane-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
atexit.register(shutil.rmtree, _folder, True)
_GIB = 1 << 30
_NOW = 1000.0
_NODES = ("n1", "n2")
_PARTITIONS = {"main": Partition(name="main", nodes=_NODES, max_jobs=50)}

# -- examples: what a server holds of two nodes and four submissions

_PARTS = [["n1", 1.0, _GIB, {"gpu:a": [0]}]]
_SPEC = {
    "name": "a", "uid": 1000, "gid": 1000, "user": "ann", "memory": _GIB, "partition": "main", "time_limit": 60,
    "gres": {"gpu:a": 1}, "command": "x", "nodelist": ["n1", "n2"], "constraint": "ssd", "licenses": "m:1", "cwd": "/t",
    "signal": "10@5", "begin": 5.0, "deadline": 9000.0, "comment": "c", "cpus_per_task": 0.5,
}  # fmt: skip
_ARRAY = {**_SPEC, "array": "0-5", "throttle": 2, "max_fails": 1, "nodelist": [], "constraint": "", "licenses": ""}
_DEP = '[false,[[["afterok",2,2,6,0,"afterok:2"]]]]'
_JOBS: list[dict[str, Any]] = [
    {"id": 1, "spec": {**_SPEC, "constraint": "", "licenses": ""}, "count": 1, "submitted_at": 900.0, "pending": ""},
    {
        "id": 2, "spec": _ARRAY, "count": 6, "submitted_at": 901.0, "pending": "2-5", "held": "5", "priority": 3.0,
        "began": 1, "ended": 1, "ok": 1, "changes": '[["3-4",{"time_limit":120}]]', "again": '[["3",2]]',
        "until": '[["5",4000]]', "worst_state": "Completed",
    },
    {
        "id": 8, "spec": {**_SPEC, "dependency": "afterok:2"}, "count": 1, "submitted_at": 902.0, "pending": "0",
        "ready": -1.0, "dep": _DEP,
    },
    {"id": 9, "spec": {**_SPEC, "licenses": ""}, "count": 1, "submitted_at": 903.0, "pending": "0", "ready": 990.0},
]  # fmt: skip
_ELEMENTS: list[dict[str, Any]] = [
    {"id": 1, "job": 1, "rank": 0, "run": 1, "state": "Running", "alloc": _PARTS, "leased": 950.0, "began": 951.0},
    {"id": 2, "job": 2, "rank": 0, "run": 1, "state": "Starting", "alloc": [["n2", 1.0, _GIB, {}]], "leased": 950.0},
]
_NODE: dict[str, Any] = {"name": "n1", "cpus": 4.0, "memory": 8 * _GIB, "gres": {"gpu:a": 2}, "features": ["ssd"]}
_KNOWN = {"host": "h", "driver": "v2", "version": "1", "boot": "b", "reason": "r"}
_HOSTS = [
    {"spec": {**_NODE, "name": name, "devices": {"gpu:a": ["/dev/a", "/dev/b"]}}, "state": "up", "epoch": 1} | _KNOWN
    for name in _NODES
]
_ENDED = ["Completed", 0, 951.0, 999.0, "", 0.5, 4096, 0]
_EVENTS: dict[str, Any] = {
    "submit": {"job": {**_JOBS[3], "id": 20, "spec": _ARRAY, "count": 6, "pending": "0-5", "ready": 0.0}},
    "judge": {"rows": [[8, 0.0], [9, 1000.0]], "deps": [_DEP, ""], "gates": [["", ""], ["", ""]], "requeued": 2},
    "hold": {"job": 2, "ranks": "2-3", "until": 2000.0, "uid": 0},
    "release": {"job": 2, "ranks": "5", "until": 0},
    "cancel": {"job": 2, "ranks": "4", "uid": 1000, "done": False, "state": "Deadline", "code": 3, "reason": "r"},
    "update": {"job": 2, "ranks": "2-4", "set": {"time_limit": 9}, "changes": '[["2-4",{"time_limit":9}]]', "uid": 0},
    "depend": {"job": 9, "text": "afterok:2", "dep": _DEP, "ready": -1, "changes": "", "uid": 0},
    "start": {"fence": 1, "rows": [[9, 9, 0, 1, _PARTS], [4, 2, 2, 1, _PARTS]], "guests": [9]},
    "begin": {"node": "n2", "rows": [[2, 2, 1, 999.0]]},
    "end": {"node": "n1", "rows": [[1, 1, 0, 1, *_ENDED, True], [2, 2, 0, 1, *_ENDED, False]]},
    "again": {"node": "n1", "rows": [[2, 2, 0, 1, *_ENDED, True]]},
    "revive": {"job": {**_JOBS[0], "pending": "0"}, "ranks": "0", "held": False, "uid": 0},
    "move": {"node": "n1", "rows": [[1, 1, 1, "Suspended", 999.0, 0]]},
    "step": {
        "node": "n1",
        "rows": [{"job": 1, "run": 1, "step": 2, "name": "s", "state": "Running", "node": "n1", "began_at": 960.0}],
    },
    "kill": {"rows": [[1, 1, "n1", 0], [2, 1, "n2", 15]], "then": "requeue", "uid": 0},
    "order": {"rows": [[1, 1, "n1", {"limit": 90.0, "deadline": 5000.0}]]},
    "kill_step": {"rows": [[1, 1, "n1", 15, 2]]},
    "node": {"node": _HOSTS[0]},
    "nudge": {"node": "n2"},
    "lead": {"fence": 2, "holder": "x"},
    "forget": {"jobs": [1]},
}  # fmt: skip
_WORDS = ("0-5", "2", "[[", "]]", '"', "1e999", "NaN", "-1", "0-99999999999", "*ff", ":", ",", "Running", "up")


def _entries(source: Source) -> list[list[str]]:
    """Entries as [kinds, time, data]: one to four, each of one or two events."""
    made = []
    for _ in range(1 + source.below(4)):
        kinds = [source.pick(list(_EVENTS)) for _ in range(1 + source.below(2))]
        data = [mutated(source, _EVENTS[kind], _WORDS, 3) for kind in kinds]
        at = "999.5" if not source.once_in(20) else source.pick(("nan", "inf", "x", "-1e300", "1e300"))
        made.append([",".join(kinds), at, json.dumps(data)])
    return made


def _decoded(entries: list[list[str]]) -> list[Event]:
    """The events, as a store gives them: one at least of each entry."""
    raw = [
        (f"1700000000000-{number}".encode(), [b"k", kinds.encode(), b"t", at.encode(), b"v", data.encode()])
        for number, (kinds, at, data) in enumerate(entries)
    ]
    found = script_args.events(raw)
    assert {event.seq for event in found} == {seq.decode() for seq, _ in raw}
    return found


def _records(jobs: list[list[str]], elements: list[list[str]], nodes: list[list[str]]) -> Snapshot:
    """Records of rows, as a store reads a snapshot."""
    return Snapshot(
        "1-0", _NOW, codec.readable(codec.job_from_row, jobs), codec.readable(codec.element_from_row, elements),
        codec.readable(codec.node_from_row, nodes),
    )  # fmt: skip


def _text(value: Any) -> str:
    """A field of a row, as the server holds it."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _rows(source: Source) -> list[list[list[str]]]:
    """Rows of jobs, elements and nodes."""
    spoil = source.below(3)
    jobs = [_job_row(_changed(source, each, spoil == 0)) for each in _JOBS]
    elements = [_element_row(_changed(source, each, spoil == 1)) for each in _ELEMENTS]
    nodes = [_node_row(_changed(source, each, spoil == 2)) for each in _HOSTS]
    if source.once_in(6):
        jobs[source.below(len(jobs))].pop()
    return [jobs, elements, nodes]


def _changed(source: Source, whole: dict[str, Any], spoil: bool) -> dict[str, Any]:
    made = mutated(source, whole, _WORDS, 3) if spoil else whole
    return made if isinstance(made, dict) else whole


def _job_row(job: dict[str, Any]) -> list[str]:
    names = {
        "at": "submitted_at",
        "code": "worst_code",
        "state": "worst_state",
        "done": "ended_at",
        "judged": "judged_at",
    }
    fields = [
        _text(job.get(names.get(name, name), "" if name not in ("ready", "priority") else 0))
        for name in codec.JOB_FIELDS
    ]
    return [_text(job.get("id")), json.dumps(job.get("spec")), *fields]


def _element_row(element: dict[str, Any]) -> list[str]:
    fields = [
        json.dumps(element.get(name)) if name == "alloc" else _text(element.get(name)) for name in codec.ELEMENT_FIELDS
    ]
    return [_text(element.get("id")), *fields]


def _node_row(node: dict[str, Any]) -> list[str]:
    quoted = ("spec", "reason", "host", "driver", "version", "boot")
    fields = [json.dumps(node.get(name)) if name in quoted else _text(node.get(name)) for name in codec.NODE_FIELDS]
    spec = node.get("spec")
    return [_text(spec.get("name") if isinstance(spec, dict) else spec), *fields]


_whole = (
    [_job_row(each) for each in _JOBS],
    [_element_row(each) for each in _ELEMENTS],
    [_node_row(each) for each in _HOSTS],
)


# -- the leader


def _lead(view: View, isolation: Isolation) -> None:
    """Do what a turn does with its view."""
    view.take_todo()
    view.advance(_NOW)
    isolation.plan(view, _NOW, Config(), None, ())
    guarded("settling failed", lambda: list(due(view.entries.values(), _NOW)))
    guarded("ending failed", lambda: view.waits.lost(view.waits.hopeless(_NOW)))
    assert view.next_ready is None or view.next_ready > _NOW
    assert view.waits.next_doom is None or view.waits.next_doom > -1e18


def _view(shot: Snapshot) -> View:
    return view_of(_PARTITIONS, shot.now, shot.jobs, shot.elements, shot.nodes)


def _snapshot(found: list[list[list[str]]]) -> None:
    shot = _records(*found)
    view = _view(shot)
    isolation = Isolation()
    isolation.rebuilt(view)
    _lead(view, isolation)
    isolation.apply(view, _decoded([[kind, "999.5", json.dumps([data])] for kind, data in _EVENTS.items()]))
    _lead(view, isolation)


def _applied(entries: list[list[str]]) -> None:
    view, isolation = _view(_records(*_whole)), Isolation()
    isolation.apply(view, _decoded(entries))
    _lead(view, isolation)
    isolation.apply(view, _decoded([[kind, "999.5", json.dumps([data])] for kind, data in _EVENTS.items()]))
    _lead(view, isolation)


def _question(source: Source) -> list[Any]:
    """Facts of a dependant, as the server gives them."""
    dep = mutated(source, json.loads(_DEP), _WORDS, 3)
    return ["8", json.dumps(dep), *(mutated(source, each, _WORDS, 2) for each in ("1", "1", "1", "990.5", "0", "1"))]


def _answered(row: list[Any]) -> None:
    asked = script_args.question([_text(each).encode("utf-8", "surrogatepass") for each in row])
    json.dumps(judge(decode(asked.dep), dict(asked.facts)).ready)


# -- gateway, recorder, bridge


class _Stream:
    """A store of which one snapshot and some events are read."""

    def __init__(self, shot: Snapshot, events: list[Event]) -> None:
        self._shot, self._events = shot, events

    def snapshot(self) -> Snapshot:
        return self._shot

    def events(self, _after: str, _block_s: float, _limit: int) -> list[Event]:
        found, self._events = self._events, []
        return found

    def first_event(self) -> str:
        return "0"

    def set_cursor(self, _name: str, _seq: str) -> None:
        """Nothing is trimmed."""


def _stream(shot: Snapshot, events: list[Event]) -> Store:
    """Return such a store; what else a store has is not asked for."""
    return cast(Store, _Stream(shot, events))


def _listed(entries: list[list[str]]) -> None:
    live = Live(_stream(_records(*_whole), _decoded(entries)))
    live.current()
    live.current()


def _listed_rows(found: list[list[list[str]]]) -> None:
    live = Live(_stream(_records(*found), []))
    live.current()


def _shown(entries: list[list[str]]) -> None:
    """As the bridge to Flower does."""
    board = Board(_records(*_whole))
    for event in _decoded(entries):
        guarded("not shown", _tell, board.take(event))
    _tell(itertools.chain(board.heartbeats(), board.refresh(10), board.forget((1, 1), None)))


def _shown_rows(found: list[list[list[str]]]) -> None:
    board = Board(_records(*found))
    _tell(itertools.chain(board.opening(), board.heartbeats()))


def _tell(messages: Iterator[Any]) -> None:
    for message in messages:
        json.dumps(shown_record(message.fields))


def _woken(entries: list[list[str]]) -> None:
    assert all(isinstance(job, int) for job in moved_safely(_decoded(entries)))


_database = Database(f"sqlite:///{_folder}/history.db")
_filing = Filing(_database)


def _filed(entries: list[list[str]]) -> None:
    """As the recorder does: all that can be filed is, the rest is set aside."""
    at = _filing.cursor()
    events = [event._replace(seq=f"{at.ms + 1}-{event.seq.partition('-')[2]}") for event in _decoded(entries)]
    recorder = Recorder(_stream(_records(*_whole), events), _filing, f"{_folder}/aside")
    recorder._at = at
    recorder.step(0.0)
    shutil.rmtree(f"{_folder}/aside", ignore_errors=True)


TARGETS = tuple(
    Target(name, make, check, expected, faults=True)
    for name, make, check, expected in (
        ("view", _entries, _applied, ()),
        ("snapshot", _rows, _snapshot, ()),
        ("questions", _question, _answered, (Exception,)),  # the leader guards the chore that asks
        ("live", _entries, _listed, ()),
        ("live-rows", _rows, _listed_rows, ()),
        ("board", _entries, _shown, ()),
        ("board-rows", _rows, _shown_rows, ()),
        ("waiters", _entries, _woken, ()),
        ("recorder", _entries, _filed, ()),
    )
)
