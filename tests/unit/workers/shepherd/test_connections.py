"""Test what a connection to the shepherd may cost: one that asks and never reads is given up."""

import selectors
import socket

import pytest

from crane_celery.wire.link import Hangup, Link
from workers.shepherd.closing import Closer
from workers.shepherd.connections import Budget, Connections

USER = 4242


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects is an ordinary user."""
    monkeypatch.setattr("workers.shepherd.connections.peer_of", lambda _sock: (1, USER, USER))


@pytest.mark.usefixtures("foreign")
def test_who_reads_no_answers_is_hung_up_on() -> None:
    ours, theirs = socket.socketpair()
    with selectors.DefaultSelector() as selector, theirs:
        connections = Connections(selector, Closer(), lambda _uid: 0, Budget(unsent=1 << 16))
        link = connections.admit(ours)
        assert isinstance(link, Link)
        with pytest.raises(Hangup, match="does not read"):
            for _ in range(1 << 16):
                link.send({"op": "pong"})
                connections.check(link)
        assert 1 << 16 < link.unsent < 1 << 17
        connections.drop(link)
        assert link.unsent == 0


@pytest.mark.usefixtures("foreign")
def test_who_reads_slowly_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with selectors.DefaultSelector() as selector, theirs:
        connections = Connections(selector, Closer(), lambda _uid: 0, Budget(unsent=1 << 16))
        link = connections.admit(ours)
        assert isinstance(link, Link)
        while not link.unsent:
            link.send({"op": "pong"})
            connections.check(link)
        while link.unsent:
            assert theirs.recv(1 << 16)
            link.flush()
        connections.check(link)
        connections.drop(link)
