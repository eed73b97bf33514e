"""Define what a user sends to a gateway: frames of bytes, requests, and sequences of verbs against a cluster in
memory."""

import atexit
import io
import json
import shutil
import socket
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crane_celery.errors import CraneError
from crane_celery.gateway import client, following, protocol
from crane_celery.gateway.budgets import Budgets
from crane_celery.gateway.handlers import _VERBS, handle
from crane_celery.gateway.server import parse_request
from crane_celery.gateway.waiters import Waiter, Waiters
from crane_celery.history.batch import fold
from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.sql import SqlHistory
from crane_celery.model.event import Event
from crane_celery.service import Service
from crane_celery.service.shared.caller import Caller
from tests.fuzz.examples import FILTERS, JOB, OPTIONS, REQUESTS, SET
from tests.fuzz.source import Source
from tests.fuzz.strange import TEXTS, mutated, text
from tests.fuzz.target import Target
from tests.unit.service.support import Cluster

following.OUTAGE_S = following.RETRY_S = 0.0
_USERS = (Caller(1000, 1000, 1), Caller(1001, 1001, 2), Caller(0, 0, 3))
_IDS = ("1", "1_[0-2]", "2", "2_3", "1.1", "2_*.1", "99", "3", "4")
assert REQUESTS.keys() == _VERBS.keys()


class _Quiet(Waiters):
    """Nobody reads the stream: who waits here is not told anything."""

    def add(self, waiter: Waiter) -> None:
        """Nothing is registered."""

    def remove(self, waiter: Waiter) -> None:
        """Nothing is forgotten."""


def _history(folder: str) -> SqlHistory:
    """A history of a submission that ended, of three elements."""
    url = f"sqlite:///{folder}/history.db"
    database = Database(url)
    cluster = Cluster(Path(folder))
    cluster.service.submit.accept(_USERS[0], [{"script": "x", "options": {"array": "0-2"}}] * 7, {}, "")
    for rank in range(3):
        cluster.run(1, rank, rank)
    events: list[Event] = cluster.store.events("0", 0.0, 10_000)
    Filing(database).add(fold(events))
    database.close()
    return SqlHistory(url)


_folder = tempfile.mkdtemp(prefix="crane-fuzz-")
atexit.register(shutil.rmtree, _folder, True)
_past = _history(_folder)
_budgets = Budgets(lambda uid: uid == 0)


def _cluster() -> Cluster:
    """One job runs, an array of four waits with one element running, one waits for both."""
    made = Cluster(Path(_folder))
    made.service = Service(made.store, made.settings, _past)
    jobs = [{"script": "a", "options": {}}, {"script": "b", "options": {"array": "0-3"}}]
    made.service.submit.accept(_USERS[0], jobs, {}, "")
    made.begin(1), made.begin(2, 1)
    made.service.submit.accept(_USERS[1], [{"script": "c", "options": {"dependency": "afterok:1"}}], {}, "")
    return made


def _some(source: Source, known: dict[str, Any], words: Iterable[str] = ()) -> dict[str, Any]:
    """Some of these fields, perhaps with changes."""
    names = {source.pick(list(known)) for _ in range(source.below(5))}
    made = mutated(source, {name: known[name] for name in sorted(names)}, tuple(words), 3)
    return made if isinstance(made, dict) else {}


def _request(source: Source) -> list[Any]:
    """[who, verb, arguments]."""
    verb = source.pick(list(REQUESTS)) if not source.once_in(40) else text(source)
    args = REQUESTS.get(verb, {})
    if source.once_in(2):
        args = {name: args[name] for name in args if not source.once_in(2)}
    match verb:
        case "submit" | "testonly":
            jobs = [{**JOB, "options": _some(source, OPTIONS)} for _ in range(1 + source.below(2))]
            args = {**args, "jobs": jobs}
        case "update":
            args = {**args, "set": _some(source, SET)}
        case "cancel":
            args = {**args, "filters": _some(source, FILTERS)}
    if "selectors" in args:
        args = {**args, "selectors": source.pick(_IDS)}
    return [source.below(3), verb, mutated(source, args, (*_IDS, "now", "1-00:00"))]


def _requests(source: Source) -> list[Any]:
    return [_request(source) for _ in range(1 + source.below(4))]


def _handle(requests: list[Any]) -> None:
    cluster = _cluster()
    waiters = _Quiet(cluster.store)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(1.0)
        theirs.shutdown(socket.SHUT_WR)  # whoever follows something sees its client go
        for who, verb, args in requests:
            body = json.dumps({"v": 1, "verb": verb, "args": args}).encode()
            with _budgets.working(who, len(body)) as turn:
                turn.begin()
                try:
                    request = parse_request(body, _USERS[who], ours, waiters, turn)
                    protocol.pack(protocol.answer(handle(cluster.service, request)))
                except CraneError as error:
                    protocol.pack(protocol.refusal(error))
                except (EOFError, OSError):
                    continue
                except ValueError as error:
                    if "Exceeds the limit" not in str(error):  # json.dumps of this test, not of the gateway
                        raise
    cluster.judge()


def _body(source: Source) -> str:
    """Bytes (as Latin-1) of a request's body, or of several frames."""
    whole = json.dumps({"v": 1, "verb": source.pick(list(REQUESTS)), "args": source.pick(list(REQUESTS.values()))})
    changed = mutated(source, whole, ('"', "{", "[", "1e999", "NaN", "\\ud800", "\\u0000", ",", "9" * 5000, "[" * 5000))
    return changed if isinstance(changed, str) else whole


def _parse(body: str) -> None:
    parse_request(body.encode("utf-8", "surrogatepass"), _USERS[0], None, None, None)


def _frames(source: Source) -> list[str]:
    """Chunks as they may arrive, each as Latin-1."""
    sizes = ("\0\0\0\2", "\0\0\0\x10", "\0\1\0\0", "\xff\xff\xff\xff", "\4\0\0\0", "\4\0\0\1", "\0\0\0\0", "\0\0")
    return [
        source.pick(sizes) + source.pick(TEXTS)[:40].encode("ascii", "replace").decode() for _ in range(source.below(6))
    ]


def _read(chunks: Sequence[str]) -> None:
    stream = io.BytesIO("".join(chunks).encode("latin-1"))
    while protocol.read_frame(stream.read) is not None:
        pass


def _reply(source: Source) -> list[Any]:
    """Frames of a gateway that is broken, or of another version."""
    good: list[Any] = [
        {"ok": True, "value": {"ids": [1], "notices": []}}, {"ok": False, "code": "E_INPUT", "message": "m"},
        {"more": {"total": 1}},
    ]  # fmt: skip
    return [mutated(source, source.pick(good)) for _ in range(1 + source.below(3))]


def _answered(replies: list[Any]) -> None:
    body = b"".join(len(text).to_bytes(4, "big") + text for text in (json.dumps(each).encode() for each in replies))
    stream = io.BytesIO(body)
    client._answer(stream.read, lambda _more: None, None)


TARGETS = (
    Target("gateway", _requests, _handle),
    Target("request", _body, _parse),
    Target("framing", _frames, _read, (CraneError, EOFError)),
    Target("answers", _reply, _answered, (CraneError, EOFError)),
)
