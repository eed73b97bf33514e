"""The gateway on a real socket: identity, bad requests, waiting, and what it does when clients misbehave."""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from crane_celery.api import Cluster as Api
from crane_celery.api import Task
from crane_celery.errors import ConfigError, Denied, InputError, NotFound, SystemFault, Unreachable
from crane_celery.gateway import client, protocol
from crane_celery.gateway.server import GatewayServer
from crane_celery.service.shared.caller import Caller, admit
from tests.unit.service.support import Cluster, serving

DEADLINE_S = 30.0


def raw(path: str, data: bytes) -> Any:
    """Send bytes and read one answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(path)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        body = protocol.read_frame(sock.recv)
        return None if body is None else json.loads(body)


def test_the_kernel_says_who_calls(gateway: str) -> None:
    assert Api(gateway).ping()["user"] == Caller(os.getuid(), 0, 0).user


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b"{}",
        b'{"v":1,"verb":5,"args":{}}',
        b'{"v":1,"verb":"ping","args":[]}',
        b'{"v":2,"verb":"ping","args":{}}',
        b'{"v":1,"verb":"pign","args":{}}',
        b'{"v":1,"verb":"ping","args":{"x":1}}',
        b'{"v":1,"verb":"submit","args":{}}',
        b'{"v":1,"verb":"submit","args":{"jobs":[5]}}',
        b'{"v":1,"verb":"submit","args":{"jobs":[]}}',
        b'{"v":1,"verb":"submit","args":{"jobs":[{"options":{"time":5}}]}}',
        b'{"v":1,"verb":"cancel","args":{"selectors":"x"}}',
        b'{"v":1,"verb":"cancel","args":{"selectors":"1","signal":"X"}}',
        b'{"v":1,"verb":"jobs","args":{"names":"x"}}',
        b'{"v":1,"verb":"jobs","args":{"limit":-1}}',
        b'{"v":1,"verb":"jobs","args":{"states":["zz"]}}',
        b'{"v":1,"verb":"explain","args":{}}',
        b'{"v":1,"verb":"start","args":{"ids":"1"}}',
        b'{"v":1,"verb":"testonly","args":{"jobs":5}}',
        b'{"v":1,"verb":"testonly","args":{"jobs":[]}}',
        b'{"v":1,"verb":"wait","args":{"ids":[]}}',
        b'{"v":1,"verb":"wait","args":{"ids":[{}]}}',
        b'{"v":1,"verb":"history","args":{"start":"blah"}}',
        b"[" * 100_000,
        b'{"v":1,"verb":"ping","args":{"x":[' + b"[]," * 2_600_000 + b"[]]}}",
        b"\xff\xfe",
    ],
)
def test_malformed_requests_are_answered_as_such(gateway: str, body: bytes) -> None:
    reply = raw(gateway, len(body).to_bytes(4, "big") + body)
    assert reply["ok"] is False and reply["code"] == "E_INPUT"


@pytest.mark.parametrize("depth", [20, 400, 900, 960, 990, 100_000])
@pytest.mark.parametrize("where", ["selectors", "states", "jobs", "verb"])
def test_nesting_costs_an_answer_and_no_fault(gateway: str, depth: int, where: str) -> None:
    deep = "[" * depth + "]" * depth
    body = f'{{"v":1,"verb":"{"submit" if where == "jobs" else "jobs"}","args":{{"{where}":{deep}}}}}'
    if where == "verb":
        body = f'{{"v":1,"verb":{deep},"args":{{}}}}'
    reply = raw(gateway, len(body).to_bytes(4, "big") + body.encode())
    assert reply["code"] == "E_INPUT", reply


def test_an_announced_giant_is_refused_and_the_next_client_served(gateway: str) -> None:
    assert raw(gateway, b"\xff\xff\xff\xff")["code"] == "E_INPUT"
    assert raw(gateway, b"\0\0") is None
    assert Api(gateway).ping()["cluster"] == "test"


def test_a_failure_inside_is_told_without_its_insides(gateway: str, cluster: Cluster, monkeypatch: Any) -> None:
    monkeypatch.setattr(cluster.service.query, "nodes", lambda: 1 // 0)
    with pytest.raises(SystemFault, match="its log says more"):
        Api(gateway).nodes()


def test_strangers_are_refused_where_one_user_runs_the_cluster() -> None:
    own, other = Caller(1000, 1000, 1), Caller(1001, 1001, 1)
    admit(own, 1000)
    admit(other, None)
    with pytest.raises(Denied, match="crane up"):
        admit(other, 1000)


def test_the_servers_own_user_filter(tmp_path: Path) -> None:
    private = Cluster(tmp_path, single_user_uid=os.getuid() + 1)
    with serving(private, tmp_path / "s") as path, pytest.raises(Denied):
        Api(path).ping()


def test_waiting_ends_with_the_codes_of_all(gateway: str, cluster: Cluster) -> None:
    api = Api(gateway)
    one, two = api.submit_many([Task(command="a"), Task(command="b", options={"array": "0-1"})])
    seen: list[dict[str, Any]] = []
    began = threading.Event()

    def progress(counts: dict[str, Any]) -> None:
        seen.append(counts)
        began.set()

    codes: dict[str, int] = {}
    waiter = threading.Thread(target=lambda: codes.update(api.wait(one, two, on_progress=progress)))
    waiter.start()
    assert began.wait(DEADLINE_S)
    cluster.run(one)
    cluster.run(two, 0, code=3)
    cluster.run(two, 1, code=2)
    waiter.join(DEADLINE_S)
    assert codes == {str(one): 0, str(two): 3}
    assert (seen[0]["total"], seen[-1]["ended"], seen[-1]["ok"]) == (3, 3, 1)


def test_a_watched_listing_is_sent_again_when_it_changes(gateway: str, cluster: Cluster) -> None:
    api = Api(gateway)
    (one,) = api.submit_many([Task(command="a")])
    seen: list[list[str]] = []

    def news(rows: list[dict[str, Any]]) -> None:
        seen.append([row["state"] for row in rows])
        if len(seen) == 1:
            cluster.begin(one)
        elif seen[-1] == ["Running"]:
            cluster.end(one)
        elif not seen[-1]:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        client.follow("watch", {"verb": "jobs", "args": {}}, news, gateway)
    assert (seen[0], seen[-1]) == (["Pending"], []) and ["Running"] in seen


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        ({"verb": "submit", "args": {}}, "cannot be watched"),
        ({"verb": "jobs", "args": {"state": "x"}}, "unknown argument"),
        ({"verb": "jobs", "args": {"states": ["runing"]}}, "did you mean"),
    ],
)
def test_what_cannot_be_watched(gateway: str, question: dict[str, Any], hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        client.follow("watch", question, print, gateway)


def test_waiting_for_what_has_ended_or_never_was(gateway: str, cluster: Cluster) -> None:
    api = Api(gateway)
    array = api.submit(command="x", array="5-6")
    cluster.run(array, 0, code=7)
    assert api.wait(f"{array}_5") == {f"{array}_5": 7}
    api.cancel(f"{array}_6")
    assert api.wait(array) == {str(array): 320}
    with pytest.raises(NotFound, match="no job 99"):
        api.wait(99)


def test_bulk_submission_keeps_the_order(gateway: str, cluster: Cluster) -> None:
    tasks = [Task(command=f"echo {number}", options={"job_name": f"n{number}"}) for number in range(300)]
    ids = Api(gateway).submit_many(tasks, key="once")
    assert ids == sorted(set(ids)) and len(ids) == 300
    last = cluster.store.job(ids[-1])
    assert last is not None and last.spec.name == "n299"
    assert Api(gateway).submit_many(tasks, key="once") == ids


@pytest.mark.parametrize("task", [Task(), Task(command="a", script="b")])
def test_a_task_is_one_thing(task: Task) -> None:
    with pytest.raises(InputError, match="exactly one"):
        task.request()


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANE_CONNECT_TIMEOUT", "0")
    with pytest.raises(Unreachable, match="crane up"):
        client.call("ping", {}, str(tmp_path / "none"))


def test_a_second_gateway_on_one_socket_is_refused_and_a_dead_ones_leftover_replaced(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    path = tmp_path / "s"
    with serving(cluster, path), pytest.raises(SystemFault, match="already serves"):
        GatewayServer(cluster.service, str(path)).start()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with serving(cluster, path):
        assert Api(str(path)).ping()["cluster"] == "test"


def test_a_lost_socket_is_made_again_and_open_connections_go_on(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    path = tmp_path / "home" / "run" / "gateway.sock"
    path.parent.mkdir(parents=True, mode=0o755)
    server = GatewayServer(cluster.service, str(path))
    server.start()
    try:
        server.renew()  # nothing is lost
        with socket.socket(socket.AF_UNIX) as old:
            old.connect(str(path))
            path.unlink()
            path.parent.rmdir()
            server.renew()
            old.sendall(protocol.pack({"v": 1, "verb": "ping", "args": {}}))
            assert json.loads(protocol.read_frame(old.recv) or b"")["ok"]
            assert Api(str(path)).ping()["user"]
        path.unlink()
        path.touch()  # somebody's file in its place
        server.renew()
        assert Api(str(path)).ping()["user"]
    finally:
        server.stop()
    assert not path.exists()


def test_a_path_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107"):
        GatewayServer(Cluster(tmp_path).service, str(tmp_path / ("x" * 120))).start()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"CRANE_SOCKET": "/a/b", "CRANE_HOME": "/c"}, "/a/b"),
        ({"CRANE_HOME": "/c"}, "/c/run/gateway.sock"),
        ({"HOME": "/nowhere", "XDG_STATE_HOME": "/nowhere"}, client.SYSTEM_SOCKET),
    ],
)
def test_where_the_socket_is_looked_for(environ: dict[str, str], path: str) -> None:
    assert client.socket_path(environ) == path
