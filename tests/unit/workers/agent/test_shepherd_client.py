"""The agent's end of the shepherd's socket: it comes back, numbers its connections, and outlives a bad frame."""

import pathlib
import queue
import socket

import pytest

from crane_celery.wire.link import Link, Message, connect, listen
from workers.agent import shepherd_start
from workers.agent.shepherd_client import Shepherding


class Far:
    """The shepherd's end."""

    def __init__(self, listener: socket.socket) -> None:
        """Take the connection that comes."""
        listener.setblocking(True)
        sock = listener.accept()[0]
        self.link = Link(sock)
        self.told: list[Message] = []
        self.hear(1)

    def hear(self, count: int) -> None:
        """Until so many frames have come."""
        while len(self.told) < count:
            self.link.sock.settimeout(20)
            self.link.sock.recv(1, socket.MSG_PEEK)
            self.link.sock.setblocking(False)
            self.told += self.link.receive()


def test_it_comes_back_and_knows_old_from_new(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = listen(str(tmp_path / "s"), 0o600)
    monkeypatch.setattr(shepherd_start, "find", lambda _config, _log: connect(str(tmp_path / "s")))
    heard: queue.Queue[tuple[int, Message]] = queue.Queue()

    def hear(generation: int, message: Message) -> None:
        if message["op"] == "bad":
            raise KeyError("nonsense")
        heard.put((generation, message))

    shepherding = Shepherding({}, "", hear)
    assert not shepherding.send({"op": "too early"})
    shepherding.start()
    far = Far(listener)
    far.link.send({"op": "x"})
    assert heard.get(timeout=20) == (1, {"op": "x"})
    assert shepherding.send({"op": "y"}, 1)
    far.hear(2)
    assert [message["op"] for message in far.told] == ["agent", "y"]
    far.link.close()
    far = Far(listener)
    far.link.send({"op": "bad"})
    bad, far = far, Far(listener)  # a frame that cannot be taken: it connects anew
    far.link.send({"op": "z"})
    assert heard.get(timeout=20) == (3, {"op": "z"})
    assert not shepherding.send({"op": "ack"}, 1)
    shepherding.stop()
    far.link.close()
    bad.link.close()
    listener.close()
