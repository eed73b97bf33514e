"""Whatever value stands at whatever place of a request, the gateway answers; and what it accepted can be shown."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from crane_celery.errors import CraneError
from crane_celery.gateway import client
from tests.fuzz.examples import JOB, OPTIONS, REQUESTS, SET
from tests.fuzz.strange import NUMBERS
from tests.unit.cli.support import Shell
from tests.unit.outside.extremes import ALL
from tests.unit.outside.test_options import clean
from tests.unit.service.support import Cluster

#: of another type than what stands there, whatever that is
OTHERS: tuple[Any, ...] = (None, True, "", "9" * 400, "\udcff", [], {}, [[]], [None], {"a": 1})
VALUES = (*NUMBERS, *OTHERS)
#: verbs that stay, until the client goes
STAYING = ("watch", "wait")
Path = tuple[Any, ...]
VIEWS = (
    ("cqueue", "-F"), ("cqueue", "-S", "--deadline"), ("cqueue", "-r", "-m", "100"), ("cqueue", "--json"),
    ("ccontrol", "show", "job"), ("ccontrol", "--json", "show", "job"), ("cacct",), ("cacct", "--json"),
)  # fmt: skip


class Raw:
    """Requests byte by byte, as no command sends them, on one connection as long as it lasts."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._sock: socket.socket | None = None

    def ask(self, verb: str, args: object) -> bytes:
        """The answer; b"" where there is none, since the client goes at once."""
        body = json.dumps({"v": 1, "verb": verb, "args": args}).encode()
        if self._sock is None:
            self._sock = socket.socket(socket.AF_UNIX)
            self._sock.settimeout(20.0)
            self._sock.connect(self._path)
        self._sock.sendall(len(body).to_bytes(4, "big") + body)
        if verb in STAYING:
            self._sock.shutdown(socket.SHUT_WR)
        try:
            answer = self._receive(int.from_bytes(self._receive(4), "big"))
        except EOFError:
            assert verb in STAYING
            answer = b""
        if verb in STAYING or b'"ok":false' in answer:
            self.close()
        return answer

    def _receive(self, size: int) -> bytes:
        assert self._sock is not None
        found = b""
        while len(found) < size:
            chunk = self._sock.recv(size - len(found))
            if not chunk:
                raise EOFError
            found += chunk
        return found

    def close(self) -> None:
        """Go; the next request is a new connection's."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


@pytest.fixture
def raw(gateway: str) -> Iterator[Raw]:
    made = Raw(gateway)
    yield made
    made.close()


def places(value: object, path: Path = ()) -> Iterator[Path]:
    """Every place of a JSON value, itself first."""
    yield path
    members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, each in members:
        yield from places(each, (*path, name))


def put(value: Any, path: Path, new: object) -> Any:
    """A copy with another value at one place."""
    if not path:
        return new
    if isinstance(value, Mapping):
        return {**value, path[0]: put(value.get(path[0]), path[1:], new)}
    return [put(each, path[1:], new) if at == path[0] else each for at, each in enumerate(value)]


def _asked(verb: str) -> dict[str, Any]:
    """A request with everything in it that this verb knows."""
    if verb in ("submit", "testonly"):
        return {**REQUESTS[verb], "jobs": [{**JOB, "options": OPTIONS}]}
    return {**REQUESTS[verb], "set": SET} if verb == "update" else dict(REQUESTS[verb])


def _plain(verb: str, path: Path) -> dict[str, Any]:
    """The request to change at that place: of options and keys only the one that is looked at, so that nothing else is
    refused before."""
    if path[:1] == ("jobs",) and path[2:3] == ("options",):
        return {**REQUESTS[verb], "jobs": [{**JOB, "items": [], "options": {}}]}
    return {**REQUESTS[verb], "set": {}} if path[:1] == ("set",) else dict(REQUESTS[verb])


@pytest.mark.parametrize("verb", REQUESTS)
def test_every_field(raw: Raw, verb: str) -> None:
    for path in places(_asked(verb)):
        for value in VALUES:
            answer = raw.ask(verb, put(_plain(verb, path), path, value))
            assert b"failed inside" not in answer, (verb, path, value, answer)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_what_is_accepted_can_be_shown(shell: Shell, gateway: str, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """In the first and the last zone of the earth, where a moment at the end of the calendar is beyond it."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for name in OPTIONS:
            for value in ALL:
                job = {**JOB, "items": [], "options": {name: value}, "tz": zone}
                try:
                    client.call("submit", {"jobs": [job]}, gateway)
                except CraneError as error:
                    assert "failed inside" not in error.message, (name, value)
        for words in VIEWS:
            clean(shell(*words), words)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("key", SET)
def test_every_key_of_an_update(shell: Shell, cluster: Cluster, gateway: str, key: str) -> None:
    """Of a job that waits, one that runs, an element."""
    jobs = [{**JOB, "items": [], "options": options} for options in ({"array": "0-3"}, {})]
    client.call("submit", {"jobs": jobs}, gateway)
    cluster.begin(5)
    for value in ALL:
        for chosen in ("1", "5", "1_2"):
            clean(shell("ccontrol", "update", f"jobid={chosen}", f"{key}={value}"), (key, value))
    for words in VIEWS:
        clean(shell(*words), words)
