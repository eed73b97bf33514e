"""A step whose shepherd stands still: given up before it was taken, waited for after, with a word and a way out."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.common.step_client import Step
from crane_celery.errors import Unreachable

_ASKED = {"op": "step", "job": 7}


class Shepherd:
    """Answers as it is told: ``alive`` answers pings; frames go to the first connection."""

    def __init__(self, path: str) -> None:
        self.alive = threading.Event()
        self.pinged = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self.crun: socket.socket | None = None
        self.taken = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        self.crun = self._listener.accept()[0]
        self.taken.set()
        while True:
            try:
                other = self._listener.accept()[0]
            except OSError:
                return
            self.pinged.set()
            with other:
                other.recv(100)
                if self.alive.is_set():
                    self.send({"op": "pong"}, other)
                else:
                    other.recv(100)  # until it hangs up

    def send(self, message: dict[str, Any], to: socket.socket | None = None) -> None:
        body = json.dumps(message).encode()
        (to or self.crun).sendall(len(body).to_bytes(4, "big") + body)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        if self.crun:
            self.crun.close()


@contextmanager
def standing(path: Path) -> Iterator[Shepherd]:
    made = Shepherd(str(path / "s"))
    made.start()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CRANE_ANSWER_TIMEOUT", "0.2")
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_shepherd_that_does_not_take_the_request_is_given_up(tmp_path: Path) -> None:
    with standing(tmp_path), pytest.raises(Unreachable, match="does not answer: the step was not begun"):
        Step(str(tmp_path / "s"), quiet=False).run(_ASKED, [])


def test_a_step_is_waited_for_while_its_shepherd_is_silent_and_alive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with standing(tmp_path) as shepherd:
        shepherd.alive.set()

        def later() -> None:
            shepherd.pinged.wait(20)
            shepherd.send({"op": "numbered", "step": 2, "run": 1})
            shepherd.pinged.clear()
            shepherd.pinged.wait(20)
            shepherd.send({"op": "exit", "status": [3], "cause": ""})

        thread = threading.Thread(target=later)
        thread.start()
        assert Step(str(tmp_path / "s"), quiet=True).run(_ASKED, []) == 3
        thread.join()
    assert capsys.readouterr().err == ""


def test_one_that_falls_silent_is_told_of_once_and_can_be_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with standing(tmp_path) as shepherd:

        def later() -> None:
            shepherd.taken.wait(20)
            shepherd.send({"op": "numbered", "step": 2, "run": 1})
            for _ in range(3):  # the third question comes after the word about the first
                shepherd.pinged.wait(20)
                shepherd.pinged.clear()
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=later)
        thread.start()
        with pytest.raises(SystemExit) as left:
            Step(str(tmp_path / "s"), quiet=True).run(_ASKED, [])
        thread.join()
    assert left.value.code == 130
    assert capsys.readouterr().err.count("has not answered") == 1
