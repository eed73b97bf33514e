"""A connection over TCP is set up so that the kernel finds a lost peer out."""

import socket
from typing import Any

import pytest

from crane_celery.errors import Unreachable
from crane_celery.store.link import LOST_S, TCP_OPTIONS, Link, tcp
from tests.support.server import Server


def test_a_connection_over_tcp_has_probes_and_an_end_to_retransmission(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, int] = {}

    class Noting(socket.socket):
        def setsockopt(self, *args: Any) -> None:
            if args[0] == socket.IPPROTO_TCP:
                seen[args[1]] = args[2]
            super().setsockopt(*args)

    monkeypatch.setattr(socket, "socket", Noting)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(Unreachable):
        Link(f"redis://127.0.0.1:{port}/0", "{x}").do("PING")
    assert {name: seen[name] for name in TCP_OPTIONS} == TCP_OPTIONS
    assert seen[socket.TCP_USER_TIMEOUT] == LOST_S * 1000


def test_a_unix_socket_needs_none() -> None:
    assert tcp("unix:///tmp/server.sock?db=0") == {}


@pytest.mark.parametrize("password", ["", ":WRONG@"])
def test_a_server_that_lets_us_not_in_is_told_apart_from_one_that_is_away(password: str) -> None:
    with Server(("--requirepass", "right")) as server:
        with pytest.raises(Unreachable, match=r"does not let us in.*see ServerUrl in the configuration") as caught:
            Link(server.url.replace("unix://", f"unix://{password}"), "{x}").do("PING")
        assert "WRONG@" not in caught.value.message
        Link(server.url.replace("unix://", "unix://:right@"), "{x}").do("PING")
