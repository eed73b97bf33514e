"""Test what anybody on the host may send to a shepherd or do to a spawner: nonsense, too much of it, or stopping it."""

import contextlib
import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from crane_celery import faults
from tests.integration.node.herder import Herder
from workers.shepherd.connections import Budget

_FLOOD = """import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
print(held[-1].recv(4096).decode(errors="replace") if sys.argv[3] == "limited" else "", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def flood(node: Herder) -> Iterator[subprocess.Popen[str]]:
    """One user with more connections open than one may have; the shepherd's own user may."""
    count, limited = str(Budget().links + 1), "limited" if node.uid != os.geteuid() else ""
    argv = ["/usr/bin/python3", "-c", _FLOOD, node.config["run"] + "/shepherd.sock", count, limited]
    user = {"user": node.uid} if limited else {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **user) as child:
        yield child


@pytest.mark.parametrize(
    "body",
    [
        b'{"op":"step","fds":Infinity}',
        b'{"op":"attach","job":1e999,"run":1,"step":1}',
        b'{"op":"step","fds":0,"job":7,"ntasks":0,"cpus":1,"memory":0,"argv":["true"],"env":[]}',
        b'{"op":"step","fds":0,"job":7,"ntasks":1,"cpus":NaN,"memory":0,"argv":["true"],"env":[]}',
        b'{"op":"signal","sig":[]}',
        b'{"op":' + b"[" * 100_000,
        b"[]",
        b"\xff",
    ],
)
def test_nonsense_ends_the_connection_and_nothing_else(node: Herder, body: bytes) -> None:
    node.launch([7], "cat $OUT/go", paths=["/dev/null", f"{node.out}/o", ""])
    before = node.hello["pid"]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(node.config["run"] + "/shepherd.sock")
        sock.sendall(struct.pack(">I", len(body)) + body)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass
    assert node.ended(7)[0] == 1
    assert node.link is not None and node.link.peer()[0] == before


def test_a_user_with_all_connections_keeps_nobody_else_out(node: Herder, flood: subprocess.Popen[str]) -> None:
    assert flood.stdout is not None and ("as many connections" in flood.stdout.readline()) == (node.uid != os.geteuid())
    node.hello = {}
    node.open()
    node.launch([1], "exit 3")
    assert node.ended(1) == (3, "")


def _step(node: Herder, **over: Any) -> dict[str, Any]:
    """A request for a step of job 7, with some fields replaced."""
    asked = {
        "op": "step", "job": 7, "argv": ["/bin/true"], "env": {}, "cwd": str(node.out), "umask": 0o22, "ntasks": 1,
        "cpus": 1.0, "memory": 0, "limit": 0.0, "name": "x", "fds": 3, "io": [0, 1, 2],
    }  # fmt: skip
    return {**asked, **over}


def _ask(node: Herder, message: dict[str, Any]) -> dict[str, Any]:
    """Return what a shepherd answers first, beside the number of the step."""
    with socket.socket(socket.AF_UNIX) as sock, open(os.devnull, "r+b") as null:
        sock.settimeout(30)
        sock.connect(node.config["run"] + "/shepherd.sock")
        body = json.dumps(message).encode()
        socket.send_fds(sock, [struct.pack(">I", len(body)) + body], [null.fileno()] * 3)
        with sock.makefile("rb") as file:
            while size := file.read(4):
                answer: dict[str, Any] = json.loads(file.read(int.from_bytes(size, "big")))
                if answer["op"] not in ("numbered", "started"):
                    return answer
    return {}


_FIELDS: list[dict[str, Any]] = [
    {"limit": float("nan")}, {"limit": float("inf")}, {"limit": 1e300}, {"limit": -1}, {"limit": "1"},
    {"limit": 10**30}, {"umask": -1}, {"umask": "x"}, {"umask": 1e9}, {"cwd": 5},
    {"cwd": "relative"}, {"cwd": "/\0"}, {"argv": "abc"}, {"argv": []}, {"argv": ["a", 1]}, {"argv": ["\ud800"]},
    {"env": {"A=B": "c"}}, {"env": {"A": 1}}, {"env": []}, {"env": {"A": "\ud800"}}, {"env": {"": "x"}},
    {"ntasks": True}, {"ntasks": 10**9}, {"cpus": float("nan")}, {"cpus": 0}, {"memory": 1.5}, {"memory": 10**30},
    {"io": [0, 1]}, {"io": [0, 1, 3]}, {"io": "012"}, {"fds": 1e3}, {"job": "7"}, {"job": None}, {"name": 5},
    {"more": 1},
]  # fmt: skip


def test_a_field_that_makes_no_sense_is_named_and_costs_nobody_else(node: Herder) -> None:
    node.launch([7], "sleep 100", limit=2.0)
    node.began(7)
    before = node.hello["pid"]
    for field in _FIELDS:
        answer = _ask(node, _step(node, **field))
        assert answer["op"] == "refused" and answer["code"] == 46, (field, answer)
        assert next(iter(field)) in answer["text"] or "descriptors" in answer["text"], (field, answer)
    assert node.ended(7)[1] == "limit"
    assert node.link is not None and node.link.peer()[0] == before
    assert faults.recorded(node.config["run"]) == []


def test_a_step_that_waits_has_passed_the_same_door(node: Herder) -> None:
    """Check that what is refused at once is refused at once though the job has no CPU free."""
    node.launch([7], "sleep 100", limit=2.0)
    node.began(7)
    with socket.socket(socket.AF_UNIX) as sock, open(os.devnull, "r+b") as null:
        sock.connect(node.config["run"] + "/shepherd.sock")
        body = json.dumps(_step(node, argv=["/bin/sleep", "100"])).encode()
        socket.send_fds(sock, [struct.pack(">I", len(body)) + body], [null.fileno()] * 3)
        assert sock.recv(4096)
        assert _ask(node, _step(node, umask="x"))["op"] == "refused"
        assert _ask(node, _step(node, limit=3.0))["op"] in ("waiting", "exit")
        assert node.ended(7)[1] == "limit"


def test_a_limit_of_a_month_is_no_trouble(node: Herder) -> None:
    node.launch([7], "cat $OUT/go", limit=30 * 86400.0)
    node.launch([8], "exit 3", limit=100 * 365 * 86400.0, deadline=1e12)
    assert node.ended(8) == (3, "")
    assert node.ended(7)[0] == 1
    assert node.link is not None and node.link.peer()[0] == node.hello["pid"]


def test_one_launch_that_makes_no_sense_ends_alone(node: Herder) -> None:
    """Its companions of the same frame start."""
    env = {"PATH": os.defpath}
    good = {
        "uid": node.uid, "gid": node.uid, "groups": [node.uid], "argv": ["/bin/sh", "-c", "exit 3"], "env": env,
        "cwd": str(node.out), "umask": 0o022, "append": False, "cpus": 1.0, "memory": 256 << 20, "pids": 64,
        "limit": None, "grace": 0.5, "deadline": 0.0, "warn": [], "hooks": {},
    }  # fmt: skip
    paths = ["/dev/null", f"{node.out}/o", ""]
    jobs = {
        "good": good, "cpus": {**good, "cpus": "many"}, "argv": {**good, "argv": [5]}, "none": {},
        "half": {**good, "env": {**env, "A": "\ud800"}}, "umask": {**good, "umask": None},
        "nul": {**good, "cwd": "/\0"},
    }  # fmt: skip
    rows = [[id_, 1, job, {}, paths] for id_, job in enumerate([*jobs, "good", "absent"], start=1)]
    node.send(op="launch", jobs=jobs, rows=rows)
    ends = {rows[id_ - 1][2]: node.ended(id_) for id_ in range(1, len(rows) + 1)}
    assert ends.pop("good") == (3, "")
    assert all(status is None and cause in ("spawn", "exec", "cwd", "cgroup") for status, cause in ends.values()), ends
    node.launch([20], "exit 4")
    assert node.ended(20) == (4, "")


_HOARD = """import array, socket, struct, sys
files = [open("/dev/null") for _ in range(250)]
held = []
for _ in range(40):
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(sys.argv[1])
        socket.send_fds(sock, [struct.pack(">I", 1000) + b"{"], [each.fileno() for each in files])
    except OSError:
        continue
    held.append(sock)
print("sent", flush=True)
sys.stdin.read()
"""
_LINGER = """import socket, struct, sys
listener = socket.create_server(("127.0.0.1", 0))
for _ in range(3):
    sock = socket.create_connection(listener.getsockname())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 300))
    sock.setblocking(False)
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass
    for body in (b"{}", b'{"op":'):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(sys.argv[1])
            socket.send_fds(link, [struct.pack(">I", len(body)) + body], [sock.fileno()])
    sock.detach()
print("sent", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def _attacker(node: Herder, program: str) -> Iterator[None]:
    """A user who did this, and goes on to live."""
    argv = ["/usr/bin/python3", "-c", program, node.config["run"] + "/shepherd.sock"]
    user: dict[str, Any] = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **user) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "sent\n"
            yield
        finally:
            child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("program", [_HOARD, _LINGER], ids=["descriptors", "linger"])
def test_what_one_user_hoards_holds_up_nobody(node: Herder, program: str) -> None:
    with _attacker(node, program):
        node.launch([1], "exit 3", limit=20.0)
        assert node.ended(1) == (3, "")
        assert len(os.listdir(f"/proc/{node.hello['pid']}/fd")) < Budget().fds + 1000
        node.launch([2], "sleep 100", limit=0.2)
        assert node.ended(2)[1] == "limit"
    assert faults.recorded(node.config["run"]) == []


#: a job that stops its spawner, and waits
_STOPPER = "kill -STOP $PPID; echo x >> $OUT/stopped; sleep 100"


def test_a_job_that_stops_its_spawner_ends_by_its_limit(node: Herder) -> None:
    node.launch([1], _STOPPER, limit=1.0)
    assert node.ended(1)[1] == "limit"
    node.launch([2], "exit 4")
    assert node.ended(2) == (4, "")


def test_a_start_that_a_stopped_spawner_does_not_answer_is_made_by_another(node: Herder) -> None:
    node.launch([1], _STOPPER)
    node.wait_for("stopped")
    node.launch([2], "exit 4")
    assert node.ended(2) == (4, "")
    node.send(op="kill", rows=[[1, 1, 0]])
    assert node.ended(1)[1] == "cancel"


def test_a_new_shepherd_ends_a_stopped_spawner(node: Herder) -> None:
    node.launch([1], _STOPPER)
    node.wait_for("stopped")
    node.kill_shepherd()
    node.open()
    node.launch([2], "exit 4")
    assert node.ended(2) == (4, "")
    node.send(op="kill", rows=[[1, 1, 0]])
    assert node.ended(1)[1] == "cancel"


def test_an_output_below_two_thousand_folders_is_written(node: Herder) -> None:
    deep = f"{node.out}/" + "d/" * 1900
    node.launch([1], "echo hello", paths=["/dev/null", deep + "o", ""])
    assert node.ended(1) == (0, "")
    node.launch([2], "cat " + deep + "o > $OUT/copy")
    assert node.ended(2) == (0, "")
    assert node.lines("copy") == ["hello"]
    subprocess.run(["rm", "-rf", node.out / "d"], check=True)  # Python's own way of removing it recurses
