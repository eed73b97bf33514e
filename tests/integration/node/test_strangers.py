"""What anybody on the host may send to a shepherd: nonsense, or more connections than it takes."""

import os
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.node.herder import Herder
from workers.shepherd import _MAX_CLIENTS_PER_USER

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
    count, limited = str(_MAX_CLIENTS_PER_USER + 1), "limited" if node.uid != os.geteuid() else ""
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
